"""Rows and columns that stand for several releases must hold for each of them."""

from dataclasses import replace

from ckptmatrix.model import Status
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.folds import folds_of
from ckptmatrix.results.findings.newest import environments_text, targets_of
from tests.support import synthetic

MATRIX = synthetic.matrix()
AXIS = axis_of(MATRIX)


def test_every_pair_of_a_folded_cell_has_the_same_outcome() -> None:
    folds = folds_of(MATRIX, AXIS)
    rows, columns = folds.writers, folds.readers
    cells = {(c.writer, c.reader): c for c in MATRIX.cells if c.loader == "accelerate"}
    assert sum(len(row.environments) for row in rows) == len(AXIS.environments)
    assert len(rows) < len(AXIS.environments)
    for row in rows:
        for column in columns:
            pairs = [cells[w, r] for w in row.environments for r in column.environments]
            assert len({(cell.status, cell.cause) for cell in pairs}) == 1


def test_one_cell_that_differs_takes_its_row_and_column_out_of_their_folds() -> None:
    odd = ("accelerate-1.8.1+torch2.15-np2", "accelerate-1.14.0+torch2.15-np2")
    cells = tuple(
        replace(c, status=Status.CRASHED) if (c.writer, c.reader) == odd else c
        for c in MATRIX.cells
    )
    folds = folds_of(replace(MATRIX, cells=cells), AXIS)
    assert (odd[0],) in [row.environments for row in folds.writers]
    assert (odd[1],) in [column.environments for column in folds.readers]


def test_the_newest_release_of_each_stack_says_whose_checkpoints_it_resumes() -> None:
    by_stack = {target.stack: target for target in targets_of(MATRIX, AXIS)}
    newest = by_stack["torch2.15-np2"]
    assert newest.release == "1.15.0"
    assert newest.writers[Status.EXACT] == "0.14.0–0.31.0 and 0.34.2–1.15.0 on torch2.15-np2"
    assert newest.writers[Status.DEGRADED] == "every release on torch2.4-np1 and torch2.15-np1"
    assert newest.writers[Status.NOT_RUN] == "0.32.1–0.33.0 on torch2.15-np2"


def test_environments_in_words_leave_no_gap_out() -> None:
    ids = [i for i in AXIS.environments if "1.0.1" not in i and "np2" in i]
    assert environments_text(MATRIX, AXIS, ids) == "0.14.0–0.34.2 and 1.1.1–1.15.0 on torch2.15-np2"
