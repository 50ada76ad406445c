"""What decides a failure: the boxes of versions it covers, found by swapping one factor at a time.

A cause is written by hand; where it holds is measured. Starting from one bad cell, each factor
(reader's release, reader's stack, writer's release, writer's stack) is swapped on its own for as
long as the outcome stays, which gives a box; boxes are taken until all bad cells are covered.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations
from typing import Any

from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status
from ckptmatrix.results.findings.axis import Axis

RAISED = (Status.FAILED, Status.CRASHED, Status.TIMEOUT)
"""A load that raised hides what would have come after it, so it speaks neither for nor against."""


@dataclass(frozen=True)
class Side:
    """One side of a box: consecutive releases on some stacks."""

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

    writer: Side
    """Who saved."""
    reader: Side
    """Who loads."""
    scenarios: tuple[str, ...]
    """Scenarios in which exactly this box was found."""
    cells: int
    """Cells in the box that have the cause, over `scenarios`."""
    measured: int
    """Cells in the box that were measured, over `scenarios`."""


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


@dataclass(frozen=True)
class _Box:
    """Indices: half-open ranges of releases and bit sets of stacks."""

    writer: tuple[int, int]
    writer_stacks: int
    reader: tuple[int, int]
    reader_stacks: int


def regions_of(
    matrix: Matrix, axis: Axis, cells: Iterable[CellRecord], belongs: Callable[[CellRecord], bool]
) -> tuple[Region, ...]:
    """Find the boxes that the cells of one cause form.

    Scenarios share boxes wherever nothing measured in them speaks against it: one that lacks some
    releases is no reason for a second, smaller box.

    Args:
        matrix: the run, for its environments.
        axis: its axis.
        cells: all cells of one view, also those of other causes and none.
        belongs: tells the cells of the cause.

    Returns:
        Boxes, the one with most cells first; none contains a measured cell that returned or went
        on without the cause.
    """
    by_scenario: dict[str, list[CellRecord]] = {}
    for cell in cells:
        by_scenario.setdefault(cell.scenario, []).append(cell)
    found: dict[_Pattern, list[str]] = {}
    for scenario, those in by_scenario.items():
        pattern = _pattern(matrix, axis, those, belongs)
        if pattern.bad:
            found.setdefault(pattern, []).append(scenario)
    boxes = list(dict.fromkeys(box for pattern in found for box in _cover(pattern)))
    regions = [_region(axis, those, box) for box, those in _share(found, boxes)]
    return tuple(sorted(regions, key=lambda region: -region.cells))


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


def _pattern(
    matrix: Matrix, axis: Axis, cells: list[CellRecord], belongs: Callable[[CellRecord], bool]
) -> _Pattern:
    width = len(axis.releases)
    number = {
        id_: axis.stacks.index(record.stack) * width + axis.releases.index(record.accelerate)
        for id_, record in matrix.environments.items()
    }
    size = width * len(axis.stacks)
    bad, good = [0] * size, [0] * size
    for cell in cells:
        writer, reader = number.get(cell.writer), number.get(cell.reader)
        if cell.status not in MEASURED or writer is None or reader is None:
            continue
        if belongs(cell):
            bad[writer] |= 1 << reader
        elif cell.status not in RAISED:
            good[writer] |= 1 << reader
    return _Pattern(len(axis.stacks), width, _flat(bad), _flat(good))


def _flat(rows: list[int]) -> int:
    return sum(row << (index * len(rows)) for index, row in enumerate(rows))


def _cover(pattern: _Pattern) -> Iterator[_Box]:
    """Take boxes until every bad cell is in one; each takes the most of what is left."""
    left = pattern.bad
    while left:
        writer, reader = divmod((left & -left).bit_length() - 1, pattern.stacks * pattern.releases)
        candidates = [_grow(pattern, writer, reader, order) for order in permutations(range(4))]
        best = max(
            dict.fromkeys(candidates),
            key=lambda box: (left & _mask(pattern, box)).bit_count(),
        )
        left &= ~_mask(pattern, best)
        yield best


def _grow(pattern: _Pattern, writer: int, reader: int, order: tuple[int, ...]) -> _Box:
    """Swap the factors one after the other, each as far as the outcome stays bad.

    What one factor gains may let another go further, so it goes round until nothing moves.
    """
    writer_stack, writer_release = divmod(writer, pattern.releases)
    reader_stack, reader_release = divmod(reader, pattern.releases)
    box, before = (
        _Box(
            (writer_release, writer_release + 1),
            1 << writer_stack,
            (reader_release, reader_release + 1),
            1 << reader_stack,
        ),
        None,
    )
    while box != before:
        before = box
        for factor in order:
            if factor == 0:
                box = replace(box, reader=_stretch(pattern, box, "reader"))
            elif factor == 1:
                box = replace(box, writer=_stretch(pattern, box, "writer"))
            elif factor == 2:
                box = replace(box, reader_stacks=_spread(pattern, box, "reader_stacks"))
            else:
                box = replace(box, writer_stacks=_spread(pattern, box, "writer_stacks"))
    return box


def _stretch(pattern: _Pattern, box: _Box, side: str) -> tuple[int, int]:
    """Widen a range of releases over slices without a good cell, ending on one with a bad cell."""
    first, last = getattr(box, side)
    for step in (-1, 1):
        at = first - 1 if step < 0 else last
        while 0 <= at < pattern.releases:
            bad, good = _look(pattern, _swap(box, **{side: (at, at + 1)}))
            if good:
                break
            if bad:
                first, last = min(first, at), max(last, at + 1)
            at += step
    return first, last


def _spread(pattern: _Pattern, box: _Box, side: str) -> int:
    """Add every stack with which no cell of the box turns good and some cell is bad."""
    taken: int = getattr(box, side)
    for stack in range(pattern.stacks):
        bad, good = _look(pattern, _swap(box, **{side: 1 << stack}))
        if bad and not good:
            taken |= 1 << stack
    return taken


def _swap(box: _Box, **factors: Any) -> _Box:
    """Give the same box with some of its factors swapped, named as the fields are."""
    return replace(box, **factors)


def _look(pattern: _Pattern, box: _Box) -> tuple[bool, bool]:
    mask = _mask(pattern, box)
    return bool(pattern.bad & mask), bool(pattern.good & mask)


def _mask(pattern: _Pattern, box: _Box) -> int:
    """Give the bits of all cells in the box."""
    return _bits(pattern.stacks, pattern.releases, box)


@lru_cache(maxsize=4096)
def _bits(stacks: int, releases: int, box: _Box) -> int:
    def run(first: int, end: int, taken: int, step: int) -> int:
        return sum(
            1 << (step * (stack * releases + release))
            for stack in range(stacks)
            if taken >> stack & 1
            for release in range(first, end)
        )

    # A row of readers, repeated in the row of each writer: no two overlap, so a product does it.
    readers = run(*box.reader, box.reader_stacks, 1)
    return readers * run(*box.writer, box.writer_stacks, stacks * releases)


def _region(axis: Axis, found: dict[_Pattern, list[str]], box: _Box) -> Region:
    def count(pattern: _Pattern, cells: int) -> int:
        return (cells & _mask(pattern, box)).bit_count() * len(found[pattern])

    bad = sum(count(pattern, pattern.bad) for pattern in found)
    return Region(
        _side(axis, list(found), box, "writer"),
        _side(axis, list(found), box, "reader"),
        tuple(name for scenarios in found.values() for name in scenarios),
        bad,
        bad + sum(count(pattern, pattern.good) for pattern in found),
    )


def _side(axis: Axis, patterns: list[_Pattern], box: _Box, name: str) -> Side:
    first, end = getattr(box, name)
    taken = getattr(box, f"{name}_stacks")

    def turns(**swapped: Any) -> bool:
        return any(_look(pattern, _swap(box, **swapped))[1] for pattern in patterns)

    def border(at: Iterable[int]) -> str:
        return next((axis.releases[i] for i in at if turns(**{name: (i, i + 1)})), "")

    stacks, releases = range(len(axis.stacks)), len(axis.releases)
    return Side(
        first=axis.releases[first],
        last=axis.releases[end - 1],
        before=border(range(first - 1, -1, -1)),
        after=border(range(end, releases)),
        stacks=tuple(axis.stacks[i] for i in stacks if taken >> i & 1),
        against=tuple(
            axis.stacks[i]
            for i in stacks
            if not taken >> i & 1 and turns(**{f"{name}_stacks": 1 << i})
        ),
        oldest=first == 0,
        newest=end == releases,
    )
