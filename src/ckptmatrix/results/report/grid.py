"""The grid as plain values: what stands in each cell, so that the template only writes it down."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status
from ckptmatrix.results.findings.axis import Axis
from ckptmatrix.results.findings.comparison import CellKey, Diff, key_of
from ckptmatrix.results.findings.folds import Fold, Folds
from ckptmatrix.results.findings.tally import GLYPHS, Tally, tally
from ckptmatrix.results.findings.views import TODAY, View, view_of


class CellMark(StrEnum):
    """What is special about a cell beside its status; a class of its style."""

    SOME = "some"
    """Some of its scenarios are exact and some are not."""
    PARTIAL = "partial"
    """Some of its scenarios were not measured."""
    REMEDY = "remedy"
    """Another way to load makes exact what is not so today."""
    SAME = "same"
    """A release with itself."""
    SURPRISE = "surprise"
    """An outcome was not expected."""
    CHANGED = "changed"
    """It is not as in the baseline."""
    EDGE = "edge"
    """The first column of a stack."""


MARK_WORDS = {
    CellMark.PARTIAL: "some scenarios not run",
    CellMark.REMEDY: "a remedy makes it whole",
    CellMark.SURPRISE: "unexpected",
    CellMark.CHANGED: "changed since the baseline",
}
"""What is said of a mark to those who hear a cell; the others are seen in its place and numbers."""


@dataclass(frozen=True)
class GridCell:
    """One cell of the grid, as accelerate loads today."""

    status: Status
    """The worst."""
    glyph: str
    """Its sign."""
    tally: str
    """`7/9` scenarios exact; empty if there is but one scenario."""
    marks: tuple[CellMark, ...]
    """What is special about it."""
    label: str
    """The cell in words, for those who hear it."""
    share: int
    """Per cent of the measured scenarios that are exact; 0 also where all are."""


@dataclass(frozen=True)
class GridRow:
    """One row of the grid."""

    fold: Fold
    """The writers it stands for."""
    cells: tuple[GridCell, ...]
    """One for each fold of readers."""


@dataclass(frozen=True)
class StackRows:
    """The rows of one stack."""

    stack: str
    """Name of the writers' stack."""
    rows: tuple[GridRow, ...]
    """Its rows, oldest release first."""


@dataclass(frozen=True)
class Heading:
    """A run of neighbouring columns with something in common."""

    text: str
    """Name of the stack or letter of the era."""
    width: int
    """How many columns it spans."""
    title: str = ""
    """More about it."""


@dataclass(frozen=True)
class FoldedGrid:
    """The folded grid."""

    columns: tuple[Fold, ...]
    """Readers."""
    stacks: tuple[Heading, ...]
    """First row of heads."""
    eras: tuple[Heading, ...]
    """Second row of heads."""
    groups: tuple[StackRows, ...]
    """Its rows, by the stack of the writers."""


@dataclass(frozen=True)
class _ShownLoads:
    """The loads that a grid shows."""

    found: dict[View, dict[tuple[str, str], list[CellRecord]]]
    """Way to load -> (writer, reader) -> one load for each scenario."""
    changed: frozenset[CellKey]
    """Those that are not as in the baseline."""

    def today(self, writer: str, reader: str) -> list[CellRecord]:
        """Give the loads of a pair as accelerate loads today."""
        return self.found.get(TODAY, {}).get((writer, reader), [])

    def have_remedy(self, writer: str, reader: str) -> bool:
        """Whether one other way to load makes everything exact that is not so today."""
        hurt = {
            cell.scenario
            for cell in self.today(writer, reader)
            if cell.status in MEASURED and cell.status is not Status.EXACT
        }
        return bool(hurt) and any(
            hurt <= {cell.scenario for cell in by_pair.get((writer, reader), ()) if _exact(cell)}
            for view, by_pair in self.found.items()
            if view != TODAY
        )

    def have_changed(self, row: Fold, column: Fold) -> bool:
        """Whether any load that a cell stands for is not as in the baseline."""
        return bool(self.changed) and any(
            key_of(cell) in self.changed
            for writer in row.environments
            for reader in column.environments
            for cell in self.today(writer, reader)
        )


def era_letter(index: int) -> str:
    """Name eras A, B, C, ...; past Z by number, which no real history reaches."""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def grid_of(
    matrix: Matrix, axis: Axis, folds: Folds, diff: Diff | None, scenario: str = ""
) -> FoldedGrid:
    """Lay out the grid, of one scenario or, if none is named, of all of them."""
    loads = _loads_of(matrix, diff, scenario)
    columns = folds.readers
    stacks = [tuple(group) for _, group in groupby(columns, lambda fold: fold.stack)]
    edges = {group[0].environments[0] for group in stacks[1:]}
    rows = [
        GridRow(
            row,
            tuple(_cell(loads, row, column, column.environments[0] in edges) for column in columns),
        )
        for row in folds.writers
    ]
    return FoldedGrid(
        columns,
        tuple(Heading(group[0].stack, len(group)) for group in stacks),
        tuple(
            Heading(era_letter(era), len(list(group)), axis.eras[era].name)
            for (_, era), group in groupby(columns, lambda fold: (fold.stack, fold.era))
        ),
        tuple(
            StackRows(stack, tuple(group))
            for stack, group in groupby(rows, lambda row: row.fold.stack)
        ),
    )


def _loads_of(matrix: Matrix, diff: Diff | None, scenario: str) -> _ShownLoads:
    found: dict[View, dict[tuple[str, str], list[CellRecord]]] = {}
    for cell in matrix.cells:
        if scenario in ("", cell.scenario):
            by_pair = found.setdefault(view_of(cell), {})
            by_pair.setdefault((cell.writer, cell.reader), []).append(cell)
    changes = diff.changes if diff else ()
    return _ShownLoads(found, frozenset(key_of(item.cell) for item in changes))


def _cell(loads: _ShownLoads, row: Fold, column: Fold, edge: bool) -> GridCell:
    """Work out one cell; the first of the environments that are alike stands for them all."""
    here = loads.today(row.environments[0], column.environments[0])
    counted = tally(cell.status for cell in here)
    share = 100 * counted.exact // max(counted.measured, 1)
    marks = tuple(_marks(loads, row, column, edge, counted))
    return GridCell(
        counted.worst,
        GLYPHS[counted.worst],
        _tally(counted) if counted.total > 1 else "",
        marks,
        _label(row, column, counted, marks),
        share if share < 100 else 0,
    )


def _marks(
    loads: _ShownLoads, row: Fold, column: Fold, edge: bool, counted: Tally
) -> Iterator[CellMark]:
    """CellMark a cell as `grid.js` does, in the same order: a test compares the two."""
    pair = (row.environments[0], column.environments[0])
    if 0 < 100 * counted.exact // max(counted.measured, 1) < 100:
        yield CellMark.SOME
    if counted.measured and counted.by_status.get(Status.NOT_RUN):
        yield CellMark.PARTIAL
    if loads.have_remedy(*pair):
        yield CellMark.REMEDY
    if set(row.releases) & set(column.releases):
        yield CellMark.SAME
    if any(cell.expected is False for cell in loads.today(*pair)):
        yield CellMark.SURPRISE
    if loads.have_changed(row, column):
        yield CellMark.CHANGED
    if edge:
        yield CellMark.EDGE


def _exact(cell: CellRecord) -> bool:
    return cell.status is Status.EXACT


def _tally(counted: Tally) -> str:
    return f"{counted.exact}/{counted.measured}" if counted.measured else ""


def _label(row: Fold, column: Fold, counted: Tally, marks: tuple[CellMark, ...]) -> str:
    """Say what `grid.js` says, word for word: a test compares the two."""
    label = (
        f"saved with {row.name} on {row.stack}, loaded with {column.name} on {column.stack}: "
        f"{counted.worst}"
    )
    if counted.total > 1 and counted.measured:
        label += f", {counted.exact} of {counted.measured} scenarios exact"
    return "; ".join([label, *(MARK_WORDS[mark] for mark in marks if mark in MARK_WORDS)])
