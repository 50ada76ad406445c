"""What was measured now, and what before."""

from dataclasses import replace

from ckptmatrix.model import MEASURED, Matrix
from ckptmatrix.results.findings.ages import ages, when
from tests.support import synthetic

MATRIX = synthetic.matrix(["1.15.0"])
LOADS = [cell for cell in MATRIX.cells if cell.status in MEASURED]


def dated(*days: str) -> Matrix:
    """The loads measured on these days, one after the other; the last one is the run's own."""
    run = replace(MATRIX.run, started=f"{days[-1]}T12:00:00Z")
    cells = tuple(
        replace(cell, measured=f"{days[index % len(days)]}T12:00:01Z")
        for index, cell in enumerate(LOADS)
    )
    return replace(MATRIX, run=run, cells=cells)


def test_a_run_that_measured_everything_says_so() -> None:
    matrix = dated("2026-11-24")
    assert ages(matrix) == f"all {len(LOADS)} loads were measured in this run"
    assert {when(cell, matrix.run) for cell in matrix.cells} == {"in this run"}


def test_what_is_older_is_told_with_its_days() -> None:
    matrix = dated("2026-11-20", "2026-11-22", "2026-11-24")
    now = sum(cell.measured >= matrix.run.started for cell in matrix.cells)
    assert ages(matrix) == (
        f"{now} of {len(LOADS)} loads were measured in this run, "
        "the others by earlier ones between 2026-11-20 and 2026-11-22"
    )
    assert when(matrix.cells[0], matrix.run) == "on 2026-11-20, by an earlier run"


def test_what_was_not_measured_has_no_date() -> None:
    others = [cell for cell in MATRIX.cells if cell.status not in MEASURED]
    assert {when(cell, MATRIX.run) for cell in others} <= {""}
