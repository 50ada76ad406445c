"""The grid as plain values: what stands in each cell, so that the template only writes it down."""

from dataclasses import dataclass
from itertools import groupby

from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status
from ckptmatrix.results.findings.axis import Axis
from ckptmatrix.results.findings.diff import Diff, key_of
from ckptmatrix.results.findings.folds import Fold
from ckptmatrix.results.findings.tally import GLYPHS, TODAY, Tally, View, tally, view_of


@dataclass(frozen=True)
class GridCell:
    """One cell of the grid, as accelerate loads today."""

    status: Status
    """The worst."""
    glyph: str
    """Its sign."""
    tally: str
    """`7/9` scenarios exact; empty if there is but one scenario."""
    marks: tuple[str, ...]
    """Further classes: `partial`, `remedy`, `same`, `surprise`, `changed`, `edge`, `some`."""
    label: str
    """The cell in words, for those who hear it."""
    share: int
    """Per cent of the measured scenarios that are exact; 0 also where all are."""


@dataclass(frozen=True)
class Row:
    """One row of the grid."""

    fold: Fold
    """The writers it stands for."""
    cells: tuple[GridCell, ...]
    """One for each fold of readers."""


@dataclass(frozen=True)
class Heading:
    """A run of neighbouring columns or rows with something in common."""

    text: str
    """Name of the stack or letter of the era."""
    width: int
    """How many columns or rows it spans."""
    title: str = ""
    """More about it."""


@dataclass(frozen=True)
class Grid:
    """The folded grid."""

    columns: tuple[Fold, ...]
    """Readers."""
    stacks: tuple[Heading, ...]
    """First row of heads."""
    eras: tuple[Heading, ...]
    """Second row of heads."""
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    """Stack of the writers -> its rows."""


def era_letter(index: int) -> str:
    """Name eras A, B, C, ...; past Z by number, which no real history reaches."""
    return chr(ord("A") + index) if index < 26 else str(index + 1)


def grid_of(
    matrix: Matrix,
    axis: Axis,
    folds: tuple[tuple[Fold, ...], tuple[Fold, ...]],
    diff: Diff | None,
    scenario: str = "",
) -> Grid:
    """Lay out the grid, of one scenario or, if none is named, of all of them."""
    rows, columns = folds
    found: dict[tuple[View, str, str], list[CellRecord]] = {}
    for cell in matrix.cells:
        if scenario in ("", cell.scenario):
            found.setdefault((view_of(cell), cell.writer, cell.reader), []).append(cell)
    views = {view for view, _, _ in found}
    changed = {key_of(item.cell) for item in diff.changes} if diff else set()

    edges = {
        column.environments[0]: before is not None and before.stack != column.stack
        for before, column in zip((None, *columns), columns, strict=False)
    }

    def cell_at(row: Fold, column: Fold) -> GridCell:
        pair = (row.environments[0], column.environments[0])
        here = found.get((TODAY, *pair), [])
        counted = tally(cell.status for cell in here)
        pairs = [(w, r) for w in row.environments for r in column.environments]
        share = 100 * counted.exact // max(counted.measured, 1)
        marks = ["some"] if 0 < share < 100 else []
        if counted.measured and counted.by_status.get(Status.NOT_RUN):
            marks.append("partial")
        hurt = {c.scenario for c in here if c.status in MEASURED and c.status is not Status.EXACT}
        if hurt and any(hurt <= _exact(found.get((v, *pair), [])) for v in views if v != TODAY):
            marks.append("remedy")
        if set(row.releases) & set(column.releases):
            marks.append("same")
        if any(cell.expected is False for cell in here):
            marks.append("surprise")
        if changed and any(
            key_of(cell) in changed for pair in pairs for cell in found.get((TODAY, *pair), [])
        ):
            marks.append("changed")
        if edges[column.environments[0]]:
            marks.append("edge")
        return GridCell(
            counted.worst,
            GLYPHS[counted.worst],
            _tally(counted) if counted.total > 1 else "",
            tuple(marks),
            _label(row, column, counted, marks),
            share if share < 100 else 0,
        )

    laid = [Row(row, tuple(cell_at(row, column) for column in columns)) for row in rows]
    return Grid(
        columns,
        tuple(Heading(s, len(list(group))) for s, group in groupby(columns, lambda f: f.stack)),
        tuple(
            Heading(era_letter(era), len(list(group)), axis.eras[era].name)
            for (_, era), group in groupby(columns, lambda f: (f.stack, f.era))
        ),
        tuple((s, tuple(group)) for s, group in groupby(laid, lambda row: row.fold.stack)),
    )


def _exact(cells: list[CellRecord]) -> set[str]:
    return {cell.scenario for cell in cells if cell.status is Status.EXACT}


def _tally(counted: Tally) -> str:
    return f"{counted.exact}/{counted.measured}" if counted.measured else ""


def _label(row: Fold, column: Fold, counted: Tally, marks: list[str]) -> str:
    """Say what `grid.js` says, word for word: a test compares the two."""
    label = (
        f"saved with {row.name} on {row.stack}, loaded with {column.name} on {column.stack}: "
        f"{counted.worst}"
    )
    if counted.total > 1 and counted.measured:
        label += f", {counted.exact} of {counted.measured} scenarios exact"
    said = {
        "partial": "some scenarios not run",
        "remedy": "a remedy makes it whole",
        "surprise": "unexpected",
        "changed": "changed since the baseline",
    }
    return "; ".join([label, *(said[mark] for mark in marks if mark in said)])
