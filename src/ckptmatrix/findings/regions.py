"""What decides a failure: the boxes of versions it covers, found by swapping one factor at a time.

A cause is written by hand; where it holds is measured. Starting from one bad cell, each factor
(reader's release, reader's stack, writer's release, writer's stack) is swapped on its own for as
long as the outcome stays, which gives a box; boxes are taken until all bad cells are covered.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

from ckptmatrix.findings.axis import Axis
from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status

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
    """Where a cause holds and where it does not, as bits: bit r of row w is reader r, writer w.

    Environments are numbered `stack * releases + release`, also where no such environment exists.
    """

    stacks: int
    releases: int
    bad: tuple[int, ...]
    good: tuple[int, ...]


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
        if any(pattern.bad):
            found.setdefault(pattern, []).append(scenario)
    merged: dict[tuple[Side, Side], Region] = {}
    for pattern, scenarios in found.items():
        for box in _cover(pattern):
            region = _region(axis, pattern, box, tuple(scenarios))
            same = merged.get((region.writer, region.reader))
            if same is not None:
                region = replace(
                    region,
                    scenarios=same.scenarios + region.scenarios,
                    cells=same.cells + region.cells,
                    measured=same.measured + region.measured,
                )
            merged[region.writer, region.reader] = region
    return tuple(sorted(merged.values(), key=lambda region: -region.cells))


def _pattern(
    matrix: Matrix, axis: Axis, cells: list[CellRecord], belongs: Callable[[CellRecord], bool]
) -> _Pattern:
    width = len(axis.releases)
    number = {
        id_: axis.stacks.index(record.stack) * width + axis.releases.index(record.accelerate)
        for id_, record in matrix.environments.items()
    }
    bad = [0] * (width * len(axis.stacks))
    good = list(bad)
    for cell in cells:
        writer, reader = number.get(cell.writer), number.get(cell.reader)
        if cell.status not in MEASURED or writer is None or reader is None:
            continue
        if belongs(cell):
            bad[writer] |= 1 << reader
        elif cell.status not in RAISED:
            good[writer] |= 1 << reader
    return _Pattern(len(axis.stacks), width, tuple(bad), tuple(good))


def _cover(pattern: _Pattern) -> Iterator[_Box]:
    """Take boxes until every bad cell is in one; each takes the most of what is left."""
    left = list(pattern.bad)
    while any(left):
        writer = next(index for index, row in enumerate(left) if row)
        reader = (left[writer] & -left[writer]).bit_length() - 1
        candidates = [_grow(pattern, writer, reader, order) for order in permutations(range(4))]
        best = max(dict.fromkeys(candidates), key=lambda box: _count(pattern, box, left))
        mask = _readers(pattern, best.reader, best.reader_stacks)
        for index in _writers(pattern, best.writer, best.writer_stacks):
            left[index] &= ~mask
        yield best


def _grow(pattern: _Pattern, writer: int, reader: int, order: tuple[int, ...]) -> _Box:
    """Swap the factors one after the other, each as far as the outcome stays bad."""
    writer_stack, writer_release = divmod(writer, pattern.releases)
    reader_stack, reader_release = divmod(reader, pattern.releases)
    box = _Box(
        (writer_release, writer_release + 1),
        1 << writer_stack,
        (reader_release, reader_release + 1),
        1 << reader_stack,
    )
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
    mask = _readers(pattern, box.reader, box.reader_stacks)
    bad = False
    for writer in _writers(pattern, box.writer, box.writer_stacks):
        if pattern.good[writer] & mask:
            return bad, True
        bad = bad or bool(pattern.bad[writer] & mask)
    return bad, False


def _count(pattern: _Pattern, box: _Box, rows: Iterable[int]) -> int:
    mask = _readers(pattern, box.reader, box.reader_stacks)
    chosen = set(_writers(pattern, box.writer, box.writer_stacks))
    return sum((row & mask).bit_count() for index, row in enumerate(rows) if index in chosen)


def _readers(pattern: _Pattern, releases: tuple[int, int], stacks: int) -> int:
    run = (1 << releases[1]) - (1 << releases[0])
    return sum(run << (s * pattern.releases) for s in range(pattern.stacks) if stacks >> s & 1)


def _writers(pattern: _Pattern, releases: tuple[int, int], stacks: int) -> Iterator[int]:
    for stack in range(pattern.stacks):
        if stacks >> stack & 1:
            yield from range(
                stack * pattern.releases + releases[0], stack * pattern.releases + releases[1]
            )


def _region(axis: Axis, pattern: _Pattern, box: _Box, scenarios: tuple[str, ...]) -> Region:
    bad = _count(pattern, box, pattern.bad)
    return Region(
        _side(axis, pattern, box, "writer"),
        _side(axis, pattern, box, "reader"),
        scenarios,
        bad * len(scenarios),
        (bad + _count(pattern, box, pattern.good)) * len(scenarios),
    )


def _side(axis: Axis, pattern: _Pattern, box: _Box, name: str) -> Side:
    first, end = getattr(box, name)
    taken = getattr(box, f"{name}_stacks")

    def turns(**swapped: Any) -> bool:
        return _look(pattern, _swap(box, **swapped))[1]

    def border(at: Iterable[int]) -> str:
        return next((axis.releases[i] for i in at if turns(**{name: (i, i + 1)})), "")

    stacks = range(pattern.stacks)
    return Side(
        first=axis.releases[first],
        last=axis.releases[end - 1],
        before=border(range(first - 1, -1, -1)),
        after=border(range(end, pattern.releases)),
        stacks=tuple(axis.stacks[i] for i in stacks if taken >> i & 1),
        against=tuple(
            axis.stacks[i]
            for i in stacks
            if not taken >> i & 1 and turns(**{f"{name}_stacks": 1 << i})
        ),
        oldest=first == 0,
        newest=end == pattern.releases,
    )
