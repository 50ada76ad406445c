"""Ways round: environments to load and save again in, where the direct way is not safe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ckptmatrix.model import MEASURED, Matrix, Status
from ckptmatrix.results.findings.load_index import LoadIndex

MOST_STOPS = 3
"""Most environments that a way round may lead through; a longer one is of no use."""


@dataclass(frozen=True)
class Detour:
    """A way round: load in each environment in turn and save again there."""

    stops: tuple[str, ...]
    """Environment ids, the first and the last included."""
    scenarios: tuple[str, ...] = ()
    """Scenarios that resume exactly this way."""
    verified: bool | None = None
    """Whether a real run of all hops came out exact; None if only its single hops were measured."""
    detail: str = ""
    """What the real run said, when it did not."""


Verify = Callable[[Matrix, tuple[str, ...], tuple[str, ...]], Detour]
"""Makes the hops for real: (matrix, stops, scenarios) -> the way with `verified` set."""


def detours(
    index: LoadIndex, old: str, new: str, scenarios: Sequence[str]
) -> list[tuple[str, ...]]:
    """List ways round, every hop of which resumes exactly; fewest stops first.

    Among equally long ones those come first that change the stack least, then the newest releases.
    """
    exact = _exact_pairs(index, scenarios)
    matrix, axis = index.matrix, index.axis
    position = {id_: index for index, id_ in enumerate(axis.environments)}
    stack = {id_: record.stack for id_, record in matrix.environments.items()}
    found: list[tuple[str, ...]] = []
    front: list[tuple[str, ...]] = [(old,)]
    seen = {old}
    for _ in range(MOST_STOPS + 1):
        grown = [
            (*way, stop)
            for way in front
            for stop in axis.environments
            if (way[-1], stop) in exact and stop not in seen
        ]
        found = [way for way in grown if way[-1] == new]
        if found:
            break
        seen |= {way[-1] for way in grown}
        # One way to each stop is enough to go on from; all of them would be too many.
        front = list({way[-1]: way for way in grown}.values())

    def changes(way: tuple[str, ...]) -> int:
        return sum(stack[one] != stack[two] for one, two in pairwise(way))

    return sorted(found, key=lambda way: (changes(way), [-position[stop] for stop in way[1:-1]]))


def possible(index: LoadIndex, old: str, new: str, scenarios: Sequence[str]) -> tuple[str, ...]:
    """Select the scenarios that a way round could make whole at all.

    The old environment's checkpoint must resume exactly somewhere, and some checkpoint in the new
    one.
    """
    ids = index.matrix.environments
    leaving = {name for id_ in ids for name in _exact(index, old, id_)}
    arriving = {name for id_ in ids for name in _exact(index, id_, new)}
    return tuple(name for name in scenarios if name in leaving and name in arriving)


def best_detour(
    index: LoadIndex, old: str, new: str, scenarios: Sequence[str], verify: Verify | None
) -> Detour | None:
    """Give the first way that a real run confirms; without a way to run it, the first."""
    whole = possible(index, old, new, scenarios)
    candidates = [stops for stops in detours(index, old, new, whole) if len(stops) > 2]
    if verify is None or not candidates:
        return Detour(candidates[0], whole) if candidates else None
    tried = None
    for stops in candidates[:MOST_STOPS]:
        tried = replace(verify(index.matrix, stops, whole), scenarios=whole)
        if tried.verified:
            return tried
    return tried


def _exact_pairs(index: LoadIndex, scenarios: Sequence[str]) -> set[tuple[str, str]]:
    """Pairs of (writer, reader) that resume exactly in every scenario measured, at least one."""
    found = set()
    for writer in index.matrix.environments:
        for reader in index.matrix.environments:
            loads = index.between(writer, reader)
            statuses = {loads[name].status for name in scenarios if name in loads}
            if statuses & set(MEASURED) == {Status.EXACT}:
                found.add((writer, reader))
    return found


def _exact(index: LoadIndex, writer: str, reader: str) -> set[str]:
    loads = index.between(writer, reader)
    return {name for name, load in loads.items() if load.status is Status.EXACT}
