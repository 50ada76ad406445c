"""Ways round: environments to load and save again in, where the direct way is not safe."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ckptmatrix.model import MEASURED, Matrix, Status
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.tally import TODAY, view_of

LONGEST = 3
"""Most environments that a path may lead through; more is nothing that anybody would do."""


@dataclass(frozen=True)
class Path:
    """A way round: load in each environment in turn and save again there."""

    stops: tuple[str, ...]
    """Environment ids, the first and the last included."""
    scenarios: tuple[str, ...] = ()
    """Scenarios that resume exactly this way."""
    verified: bool | None = None
    """Whether a real run of all hops came out exact; None if only its single hops were measured."""
    detail: str = ""
    """What the real run said, when it did not."""


Verify = Callable[[Matrix, tuple[str, ...], tuple[str, ...]], Path]
"""Makes the hops for real: (matrix, stops, scenarios) -> the path with `verified` set."""


def paths(matrix: Matrix, old: str, new: str, scenarios: Sequence[str]) -> list[tuple[str, ...]]:
    """List ways round, every hop of which resumes exactly; fewest stops first.

    Among equally long ones those come first that change the stack least, then the newest releases.
    """
    exact = _exact_pairs(matrix, set(scenarios))
    axis = axis_of(matrix)
    position = {id_: index for index, id_ in enumerate(axis.environments)}
    stack = {id_: record.stack for id_, record in matrix.environments.items()}
    found: list[tuple[str, ...]] = []
    front: list[tuple[str, ...]] = [(old,)]
    seen = {old}
    for _ in range(LONGEST + 1):
        grown = [
            (*path, stop)
            for path in front
            for stop in axis.environments
            if (path[-1], stop) in exact and stop not in seen
        ]
        found = [path for path in grown if path[-1] == new]
        if found:
            break
        seen |= {path[-1] for path in grown}
        # One way to each stop is enough to go on from; all of them would be too many.
        front = list({path[-1]: path for path in grown}.values())

    def changes(path: tuple[str, ...]) -> int:
        return sum(stack[one] != stack[two] for one, two in pairwise(path))

    return sorted(found, key=lambda path: (changes(path), [-position[stop] for stop in path[1:-1]]))


def possible(matrix: Matrix, old: str, new: str, scenarios: Sequence[str]) -> tuple[str, ...]:
    """Select the scenarios that a way round could make whole at all.

    The old environment's checkpoint must resume exactly somewhere, and somebody's in the new one.
    """
    exact = [
        cell for cell in matrix.cells if view_of(cell) == TODAY and cell.status is Status.EXACT
    ]
    leaving = {cell.scenario for cell in exact if cell.writer == old}
    arriving = {cell.scenario for cell in exact if cell.reader == new}
    return tuple(name for name in scenarios if name in leaving and name in arriving)


def best_path(
    matrix: Matrix, old: str, new: str, scenarios: Sequence[str], verify: Verify | None
) -> Path | None:
    """Give the first path that a real run confirms; without a way to run it, the first."""
    whole = possible(matrix, old, new, scenarios)
    candidates = [stops for stops in paths(matrix, old, new, whole) if len(stops) > 2]
    if verify is None or not candidates:
        return Path(candidates[0], whole) if candidates else None
    tried = None
    for stops in candidates[:LONGEST]:
        tried = replace(verify(matrix, stops, whole), scenarios=whole)
        if tried.verified:
            return tried
    return tried


def _exact_pairs(matrix: Matrix, scenarios: set[str]) -> set[tuple[str, str]]:
    """Pairs of (writer, reader) that resume exactly in every scenario measured, at least one."""
    good: set[tuple[str, str]] = set()
    bad: set[tuple[str, str]] = set()
    for cell in matrix.cells:
        if cell.scenario in scenarios and view_of(cell) == TODAY and cell.status in MEASURED:
            (good if cell.status is Status.EXACT else bad).add((cell.writer, cell.reader))
    return good - bad
