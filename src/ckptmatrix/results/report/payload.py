"""The data of the page as one compact JSON document.

Outcomes are listed once (`payload_records`); a row of the grid is a run-length code over them, and
equal rows are listed once.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import groupby

import msgspec

from ckptmatrix.model import BAD, MEASURED, EnvironmentStatus, Matrix, Status
from ckptmatrix.results.findings.ages import when
from ckptmatrix.results.findings.axis import Axis
from ckptmatrix.results.findings.comparison import Diff, key_of
from ckptmatrix.results.findings.detours import MOST_STOPS
from ckptmatrix.results.findings.folds import Fold, Folds
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.newest import PLAIN, shown_first
from ckptmatrix.results.findings.tally import GLYPHS, MEANINGS, WORST_FIRST, scenarios_of
from ckptmatrix.results.findings.views import View, view_of, views_of
from ckptmatrix.results.matrix_file.encoding import encode_json
from ckptmatrix.results.report.grid import MARK_WORDS
from ckptmatrix.results.report.payload_question import question
from ckptmatrix.results.report.payload_records import Numbers, Packer, packed_fields
from ckptmatrix.results.report.payload_verdict import rules, staying_rows
from ckptmatrix.util.terminal_text import clean_value

_PACKED = frozenset({"texts", "parts", "outcomes", "rows", "grid", "staying"})
"""What holds numbers, and texts that are clean already; too much to be looked through again."""


def payload(matrix: Matrix, axis: Axis, folds: Folds, diff: Diff | None) -> bytes:
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
    packed = _pack(matrix, axis, diff)
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
        "bad": BAD,
        "markWords": MARK_WORDS,
        "stops": MOST_STOPS,
        "verdict": rules(matrix, axis),
        "question": question(LoadIndex(matrix)),
        "stacks": axis.stacks,
        "releases": axis.releases,
        "eras": [{"name": era.name} for era in axis.eras],
        "environments": _environments(matrix, axis),
        "folds": {
            "writer": _folds(folds.writers, axis),
            "reader": _folds(folds.readers, axis),
        },
        "scenarios": scenarios,
        "plain": PLAIN if PLAIN in scenarios else "",
        "first": shown_first(scenarios),
        "views": [
            {"loader": view.loader, "treatment": view.treatment, "title": view.title}
            for view in views
        ],
        "causes": matrix.causes,
        "fields": packed_fields(),
        "texts": packed.texts,
        "parts": packed.parts,
        "outcomes": packed.outcomes,
        "rows": packed.rows,
        "grid": [
            [
                [packed.numbers.get((view, name, writer), 0) for writer in axis.environments]
                for name in scenarios
            ]
            for view in views
        ],
        "staying": packed.staying,
    }
    document = {
        name: value if name in _PACKED else clean_value(msgspec.to_builtins(value))
        for name, value in document.items()
    }
    # Inside a script element only these three could end or start markup; JSON may escape them all.
    encoded = encode_json(document)
    for char in b"<>&":
        encoded = encoded.replace(bytes([char]), b"\\u%04x" % char)
    return encoded


def _environments(matrix: Matrix, axis: Axis) -> list[dict[str, object]]:
    """Give the environments in the order of the axis; release and stack are indices in theirs."""
    return [
        {
            "release": axis.releases.index(record.accelerate),
            "stack": axis.stacks.index(record.stack),
            "ready": record.status is EnvironmentStatus.READY,
            "python": record.python,
            "torch": record.torch,
            "numpy": record.numpy,
            "safetensors": record.safetensors,
            "reason": record.reason,
        }
        for record in (matrix.environments[id_] for id_ in axis.environments)
    ]


def _folds(folds: tuple[Fold, ...], axis: Axis) -> list[dict[str, object]]:
    """Give what is alike on one side: the environments by number, and the number of their era."""
    position = {id_: index for index, id_ in enumerate(axis.environments)}
    return [
        {"era": fold.era, "members": [position[id_] for id_ in fold.environments]} for fold in folds
    ]


@dataclass(frozen=True)
class _Packed:
    """Every cell of a run, packed."""

    texts: list[Hashable]
    parts: list[Hashable]
    outcomes: list[Hashable]
    """What the numbers in a row stand for; these hold numbers of texts and parts."""
    rows: list[Hashable]
    """Rows of the grid, one place for each reader, as outcome, length, outcome, length, ...;
    outcome -1 stands for no cell, and row 0 has none at all."""
    numbers: dict[tuple[View, str, str], int]
    """(way to load, scenario, writer's id) -> number of its row."""
    staying: list[list[list[int]]]
    """For each way to load, scenario and writer the number of a row of comparisons with staying,
    which are numbers of `Against`."""


def _pack(matrix: Matrix, axis: Axis, diff: Diff | None) -> _Packed:
    position = {id_: index for index, id_ in enumerate(axis.environments)}
    changes = {key_of(item.cell): str(item.change) for item in diff.changes} if diff else {}
    notes = {(one.writer, one.scenario): one.note for one in matrix.checkpoints}
    packer = Packer()
    found: dict[tuple[View, str, str], list[int]] = {}
    for cell in matrix.cells:
        if cell.writer in position and cell.reader in position:
            place = (view_of(cell), cell.scenario, cell.writer)
            row = found.setdefault(place, [-1] * len(position))
            change = changes.get(key_of(cell), "") if changes else ""
            note = notes.get((cell.writer, cell.scenario), "")
            row[position[cell.reader]] = packer.outcome(cell, change, when(cell, matrix.run), note)
    rows = Numbers()
    rows.of(_runs([-1] * len(position)))
    numbers = {place: rows.of(_runs(row)) for place, row in found.items()}
    index = LoadIndex(matrix)
    staying = [
        [
            [rows.of(_runs(row)) for row in staying_rows(index, axis, view, name)]
            for name in index.scenarios
        ]
        for view in index.views
    ]
    return _Packed(
        packer.texts.values,
        packer.parts.values,
        packer.outcomes.values,
        rows.values,
        numbers,
        staying,
    )


def _runs(row: list[int]) -> tuple[int, ...]:
    """Code a row as outcome, length, outcome, length, ..."""
    return tuple(
        number for outcome, run in groupby(row) for number in (outcome, sum(1 for _ in run))
    )
