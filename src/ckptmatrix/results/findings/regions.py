"""What decides a failure: the boxes of versions it covers, found by swapping one factor at a time.

A cause is written by hand; where it holds is measured. Starting from one bad cell, each factor
(reader's release, reader's stack, writer's release, writer's stack) is swapped on its own for as
long as the outcome stays, which gives a box; boxes are taken until all bad cells are covered.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product
from typing import NamedTuple

from ckptmatrix.model import CellRecord, Matrix, Status
from ckptmatrix.results.findings.axis import Axis, Side

RAISED = (Status.FAILED, Status.CRASHED, Status.TIMEOUT)
"""A load that raised hides what would have come after it, so it speaks neither for nor against."""


@dataclass(frozen=True)
class Extent:
    """How far a box reaches on one side: consecutive releases on some stacks."""

    first: str
    """Oldest release."""
    last: str
    """Newest release."""
    before: str
    """The nearest older release that turns the outcome; empty if no measured one does."""
    after: str
    """The nearest newer release that turns the outcome; empty if no measured one does."""
    stacks: tuple[str, ...]
    """Names of stacks, in the order of the axis."""
    against: tuple[str, ...]
    """Stacks that turn the outcome; the others were not measured here."""
    oldest: bool
    """Whether `first` is the oldest tested release."""
    newest: bool
    """Whether `last` is the newest tested release."""


@dataclass(frozen=True)
class Region:
    """A box of versions within which every measured load comes out with the cause."""

    writer: Extent
    """Who saved."""
    reader: Extent
    """Who loads."""
    scenarios: tuple[str, ...]
    """Scenarios in which exactly this box was found."""
    cells: int
    """Cells in the box that have the cause, over `scenarios`."""
    measured: int
    """Cells in the box that were measured, over `scenarios`."""

    def of(self, side: Side) -> Extent:
        """Give one side."""
        return self.writer if side is Side.WRITER else self.reader


@dataclass(frozen=True)
class _Pattern:
    """Where a cause holds in one scenario and where it does not, as bits.

    Environments are numbered `stack * releases + release`, also where no such environment exists;
    writer w with reader r is bit `w * environments + r`.
    """

    stacks: int
    releases: int
    bad: int
    good: int


class _BoxSide(NamedTuple):
    """One side of a box: a half-open range of releases by index, and a bit set of stacks."""

    first: int
    end: int
    stacks: int


class _Box(NamedTuple):
    """A box by its two sides."""

    writer: _BoxSide
    reader: _BoxSide

    def of(self, side: Side) -> _BoxSide:
        return self.writer if side is Side.WRITER else self.reader

    def with_(self, side: Side, part: _BoxSide) -> "_Box":
        """Give the same box with another range on one side."""
        if side is Side.WRITER:
            return _Box(part, self.reader)
        return _Box(self.writer, part)


def regions_of(
    matrix: Matrix, axis: Axis, kinds: Iterable[tuple[CellRecord, str]]
) -> dict[str, tuple[Region, ...]]:
    """Find the boxes that the cells of each cause form.

    Scenarios share boxes wherever nothing measured in them speaks against it: one that lacks some
    releases is no reason for a second, smaller box.

    Args:
        matrix: the run, for its environments.
        axis: its axis.
        kinds: all measured cells of one view, each with its cause, or what else it is grouped by;
            empty for what is exact.

    Returns:
        Cause -> boxes, the one with most cells first; none contains a measured cell that returned
        or went on without the cause.
    """
    return {
        kind: tuple(_regions(axis, patterns))
        for kind, patterns in _patterns(matrix, axis, kinds).items()
    }


def _regions(axis: Axis, found: dict[_Pattern, list[str]]) -> list[Region]:
    boxes = list(dict.fromkeys(box for pattern in found for box in _cover(pattern)))
    regions = [_region(axis, those, box) for box, those in _share(found, boxes)]
    return sorted(regions, key=lambda region: -region.cells)


def _share(
    found: dict[_Pattern, list[str]], boxes: list[_Box]
) -> Iterator[tuple[_Box, dict[_Pattern, list[str]]]]:
    """Take the box that covers most of what is left in all scenarios, until nothing is left."""
    left = {pattern: pattern.bad for pattern in found}
    fitting = {
        box: [pattern for pattern in found if not pattern.good & _mask(pattern, box)]
        for box in boxes
    }

    def gain(box: _Box) -> int:
        return sum(
            (left[pattern] & _mask(pattern, box)).bit_count() * len(found[pattern])
            for pattern in fitting[box]
        )

    while any(left.values()):
        best = max(boxes, key=gain)
        those = [pattern for pattern in fitting[best] if left[pattern] & _mask(pattern, best)]
        for pattern in those:
            left[pattern] &= ~_mask(pattern, best)
        yield best, {pattern: found[pattern] for pattern in those}


def _patterns(
    matrix: Matrix, axis: Axis, kinds: Iterable[tuple[CellRecord, str]]
) -> dict[str, dict[_Pattern, list[str]]]:
    """Give cause -> pattern -> the scenarios in which it is that one."""
    width = len(axis.releases)
    number = {
        id_: axis.stacks.index(record.stack) * width + axis.releases.index(record.accelerate)
        for id_, record in matrix.environments.items()
    }
    size = width * len(axis.stacks)
    returned: dict[str, list[int]] = {}
    bad: dict[str, dict[str, list[int]]] = {}
    for cell, kind in kinds:
        rows = returned.setdefault(cell.scenario, [0] * size)
        writer, reader = number.get(cell.writer), number.get(cell.reader)
        if writer is None or reader is None:
            continue
        if cell.status not in RAISED:
            rows[writer] |= 1 << reader
        if kind:
            of_kind = bad.setdefault(kind, {})
            of_kind.setdefault(cell.scenario, [0] * size)[writer] |= 1 << reader
    back = {scenario: _flat(rows) for scenario, rows in returned.items()}
    found: dict[str, dict[_Pattern, list[str]]] = {kind: {} for kind in bad}
    for kind, by_scenario in bad.items():
        for scenario, whole in back.items():
            if scenario in by_scenario:
                here = _flat(by_scenario[scenario])
                pattern = _Pattern(len(axis.stacks), width, here, whole & ~here)
                found[kind].setdefault(pattern, []).append(scenario)
    return found


def _flat(rows: list[int]) -> int:
    return sum(row << (index * len(rows)) for index, row in enumerate(rows))


def _cover(pattern: _Pattern) -> Iterator[_Box]:
    """Take boxes until every bad cell is in one; each takes the most of what is left."""
    left = pattern.bad
    while left:
        writer, reader = divmod((left & -left).bit_length() - 1, pattern.stacks * pattern.releases)
        candidates = [_grow(pattern, writer, reader, order) for order in permutations(_GROWTHS)]
        best = max(
            dict.fromkeys(candidates),
            key=lambda box: (left & _mask(pattern, box)).bit_count(),
        )
        left &= ~_mask(pattern, best)
        yield best


_Growth = Callable[[_Pattern, _Box, Side], _BoxSide]


def _grow(
    pattern: _Pattern, writer: int, reader: int, order: Iterable[tuple[_Growth, Side]]
) -> _Box:
    """Swap the factors one after the other, each as far as the outcome stays bad.

    What one factor gains may let another go further, so it goes round until nothing moves.
    """
    box, before = _Box(_only(pattern, writer), _only(pattern, reader)), None
    while box != before:
        before = box
        for growth, side in order:
            box = box.with_(side, growth(pattern, box, side))
    return box


def _only(pattern: _Pattern, environment: int) -> _BoxSide:
    """Give the range of one environment."""
    stack, release = divmod(environment, pattern.releases)
    return _BoxSide(release, release + 1, 1 << stack)


def _stretch(pattern: _Pattern, box: _Box, side: Side) -> _BoxSide:
    """Widen a range of releases over slices without a good cell, ending on one with a bad cell."""
    first, end, stacks = box.of(side)
    for step in (-1, 1):
        at = first - 1 if step < 0 else end
        while 0 <= at < pattern.releases:
            bad, good = _look(pattern, box.with_(side, _BoxSide(at, at + 1, stacks)))
            if good:
                break
            if bad:
                first, end = min(first, at), max(end, at + 1)
            at += step
    return _BoxSide(first, end, stacks)


def _spread(pattern: _Pattern, box: _Box, side: Side) -> _BoxSide:
    """Add every stack with which no cell of the box turns good and some cell is bad."""
    first, end, taken = box.of(side)
    for stack in range(pattern.stacks):
        bad, good = _look(pattern, box.with_(side, _BoxSide(first, end, 1 << stack)))
        if bad and not good:
            taken |= 1 << stack
    return _BoxSide(first, end, taken)


_GROWTHS: tuple[tuple[_Growth, Side], ...] = tuple(
    product((_stretch, _spread), (Side.READER, Side.WRITER))
)
"""The four factors that a box grows by."""


def _look(pattern: _Pattern, box: _Box) -> tuple[bool, bool]:
    """Whether a box holds a bad cell, and whether a good one."""
    mask = _mask(pattern, box)
    return bool(pattern.bad & mask), bool(pattern.good & mask)


def _mask(pattern: _Pattern, box: _Box) -> int:
    """Give the bits of all cells in the box."""
    return _bits(pattern.stacks, pattern.releases, box)


@lru_cache(maxsize=4096)
def _bits(stacks: int, releases: int, box: _Box) -> int:
    def run(part: _BoxSide, step: int) -> int:
        return sum(
            1 << (step * (stack * releases + release))
            for stack in range(stacks)
            if part.stacks >> stack & 1
            for release in range(part.first, part.end)
        )

    # A row of readers, repeated in the row of each writer: no two overlap, so a product does it.
    return run(box.reader, 1) * run(box.writer, stacks * releases)


def _region(axis: Axis, found: dict[_Pattern, list[str]], box: _Box) -> Region:
    def count(pattern: _Pattern, cells: int) -> int:
        return (cells & _mask(pattern, box)).bit_count() * len(found[pattern])

    bad = sum(count(pattern, pattern.bad) for pattern in found)
    return Region(
        _extent(axis, list(found), box, Side.WRITER),
        _extent(axis, list(found), box, Side.READER),
        tuple(name for scenarios in found.values() for name in scenarios),
        bad,
        bad + sum(count(pattern, pattern.good) for pattern in found),
    )


def _extent(axis: Axis, patterns: list[_Pattern], box: _Box, side: Side) -> Extent:
    """Put one side of a box into names, with what lies just outside it."""
    first, end, taken = box.of(side)

    def turns(swapped: _BoxSide) -> bool:
        return any(_look(pattern, box.with_(side, swapped))[1] for pattern in patterns)

    def border(at: Iterable[int]) -> str:
        return next((axis.releases[i] for i in at if turns(_BoxSide(i, i + 1, taken))), "")

    stacks, releases = range(len(axis.stacks)), len(axis.releases)
    return Extent(
        first=axis.releases[first],
        last=axis.releases[end - 1],
        before=border(range(first - 1, -1, -1)),
        after=border(range(end, releases)),
        stacks=tuple(axis.stacks[i] for i in stacks if taken >> i & 1),
        against=tuple(
            axis.stacks[i]
            for i in stacks
            if not taken >> i & 1 and turns(_BoxSide(first, end, 1 << i))
        ),
        oldest=first == 0,
        newest=end == releases,
    )
