"""The data of the page as one compact JSON document.

A grid of 180 environments has 32 400 cells for each scenario and way of loading, but few different
outcomes: so outcomes are listed once, a row of the grid is a run-length code over them, equal rows
are listed once, and every text is a number in one list of texts. Outcomes repeat each other in part
(the same components, the same exception), so their parts are listed once as well.
"""

from ckptmatrix.model import MEASURED, CellRecord, Difference, ErrorRecord, Matrix, Status
from ckptmatrix.results.findings.ages import when
from ckptmatrix.results.findings.axis import Axis
from ckptmatrix.results.findings.diff import Diff, key_of
from ckptmatrix.results.findings.folds import Fold
from ckptmatrix.results.findings.newest import PLAIN, shown_first
from ckptmatrix.results.findings.tally import (
    GLYPHS,
    MEANINGS,
    WORST_FIRST,
    scenarios_of,
    view_of,
    views_of,
)
from ckptmatrix.results.report.jsonfile import encode_json
from ckptmatrix.util.terminal_text import plain

FRAMES = 1200
"""Characters kept of a traceback, its end; the whole is in `matrix.json`."""


class _Table:
    """Numbers for values: the same value has the same number."""

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}

    def number(self, value: object) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    @property
    def values(self) -> list[object]:
        return list(self.numbers)


class _Coder:
    """Turns cells into numbers of outcomes, and texts into numbers of texts."""

    def __init__(self) -> None:
        self.texts = _Table()
        self.outcomes = _Table()
        self.parts = _Table()
        self.texts.number("")

    def outcome(self, cell: CellRecord, change: str, measured: str) -> int:
        """Give the number of a cell's outcome; field by field as `data.js` reads it."""
        text, part = self.texts.number, self.parts.number
        first = cell.resume.first_difference if cell.resume else None
        return self.outcomes.number(
            (
                WORST_FIRST.index(cell.status),
                text(cell.cause or ""),
                {True: 1, False: 0, None: -1}[cell.expected],
                text(change),
                part(tuple((text(name), text(v)) for name, v in cell.components.items())),
                part(tuple(self._difference(n, d) for n, d in cell.differences.items())),
                part(self._error(cell.error)),
                part(tuple(self._error(error) for error in cell.swallowed)),
                cell.resume.steps if cell.resume else -1,
                part(
                    first
                    and (first.step, text(first.quantity), text(first.expected), text(first.found))
                ),
                text(cell.reason),
                text(cell.expectation),
                text(measured),
            )
        )

    def _difference(self, name: str, found: Difference) -> tuple[int, ...]:
        text = self.texts.number
        texts = (text(name), text(found.where), text(found.saved), text(found.found))
        return (*texts, found.differing, found.compared)

    def _error(self, error: ErrorRecord | None) -> tuple[int, int, int] | None:
        if error is None:
            return None
        text = self.texts.number
        frames = plain(error.traceback[-FRAMES:])
        return (text(error.type), text(plain(error.message)), text(frames))


def payload(
    matrix: Matrix,
    axis: Axis,
    folds: tuple[tuple[Fold, ...], tuple[Fold, ...]],
    diff: Diff | None,
) -> bytes:
    """Encode everything that the page's scripts need.

    Args:
        matrix: what was measured.
        axis: its axis; environments are numbered in its order.
        folds: rows and columns that are alike.
        diff: against the baseline, if there is one.

    Returns:
        JSON that may stand in a script element: it holds no `<`, `>` or `&`.
    """
    views, scenarios = views_of(matrix), scenarios_of(matrix)
    position = {id_: index for index, id_ in enumerate(axis.environments)}
    changes = {key_of(item.cell): str(item.change) for item in diff.changes} if diff else {}
    coder, rows = _Coder(), _Table()
    width = len(axis.environments)
    raw: dict[tuple[int, int, int], list[int]] = {}
    view_number = {view: index for index, view in enumerate(views)}
    scenario_number = {name: index for index, name in enumerate(scenarios)}
    for cell in matrix.cells:
        if cell.writer in position and cell.reader in position:
            key = (
                view_number[view_of(cell)],
                scenario_number[cell.scenario],
                position[cell.writer],
            )
            row = raw.setdefault(key, [-1] * width)
            change = changes.get(key_of(cell), "")
            row[position[cell.reader]] = coder.outcome(cell, change, when(cell, matrix.run))
    empty = rows.number(_runs([-1] * width))
    numbered = {key: rows.number(_runs(row)) for key, row in raw.items()}
    document = {
        "statuses": [
            {
                "name": status,
                "glyph": GLYPHS[status],
                "meaning": MEANINGS[status],
                "measured": status in MEASURED,
            }
            for status in WORST_FIRST
        ],
        "exact": WORST_FIRST.index(Status.EXACT),
        "stacks": axis.stacks,
        "releases": axis.releases,
        "eras": [
            {"name": era.name, "added": era.added, "removed": era.removed} for era in axis.eras
        ],
        "environments": [
            [
                axis.releases.index(record.accelerate),
                axis.stacks.index(record.stack),
                int(record.status == "ready"),
                record.python,
                record.torch,
                record.numpy,
                record.safetensors,
                record.reason,
            ]
            for record in (matrix.environments[id_] for id_ in axis.environments)
        ],
        "folds": [
            [[position[id_] for id_ in fold.environments] for fold in side] for side in folds
        ],
        "foldEras": [[fold.era for fold in side] for side in folds],
        "scenarios": scenarios,
        "plain": PLAIN if PLAIN in scenarios else "",
        "first": shown_first(scenarios),
        "views": [{"loader": v.loader, "treatment": v.treatment, "title": v.title} for v in views],
        "causes": matrix.causes,
        "texts": coder.texts.values,
        "parts": coder.parts.values,
        "outcomes": coder.outcomes.values,
        "rows": rows.values,
        "grid": [
            [[numbered.get((v, s, w), empty) for w in range(width)] for s in range(len(scenarios))]
            for v in range(len(views))
        ],
    }
    # Inside a script element only these three could end or start markup; JSON may escape them all.
    encoded = encode_json(document)
    for char in b"<>&":
        encoded = encoded.replace(bytes([char]), b"\\u%04x" % char)
    return encoded


def _runs(row: list[int]) -> tuple[int, ...]:
    """Code a row as outcome, length, outcome, length, ..."""
    coded: list[int] = []
    for outcome in row:
        if coded and coded[-2] == outcome:
            coded[-1] += 1
        else:
            coded += [outcome, 1]
    return tuple(coded)
