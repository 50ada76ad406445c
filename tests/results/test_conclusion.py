"""What is said at the end of a run, and how it exits."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.model import ControlsResult, Matrix, Problem, ProblemKind
from ckptmatrix.results.conclusion import concluded
from ckptmatrix.results.report.page import page_of
from tests.support import synthetic

MATRIX = synthetic.matrix(["1.15.0"])
UNEXPECTED = replace(MATRIX, cells=(replace(MATRIX.cells[0], expected=False), *MATRIX.cells[1:]))


def exit_code(matrix: Matrix, *kinds: ProblemKind) -> int:
    # The words are those of another kind: nothing may hang on them.
    problems = tuple(Problem(kind, "ckptmatrix failed, expired and stale") for kind in kinds)
    return concluded(page_of(replace(matrix, problems=problems)), Path("page")).exit_code


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ((), 0),
        ((ProblemKind.EXPECTATION_EXPIRED,), 1),
        ((ProblemKind.EXPECTATION_STALE,), 1),
        ((ProblemKind.OTHER,), 1),
        ((ProblemKind.HARNESS_FAILED,), 3),
        ((ProblemKind.EXPECTATION_STALE, ProblemKind.HARNESS_FAILED), 3),
    ],
)
def test_only_a_failure_of_the_harness_exits_with_3(
    kinds: tuple[ProblemKind, ...], code: int
) -> None:
    assert exit_code(MATRIX, *kinds) == code
    assert exit_code(UNEXPECTED, *kinds) == max(code, 1)


def test_a_failed_control_exits_with_3() -> None:
    failed = replace(MATRIX, run=replace(MATRIX.run, controls=ControlsResult.FAILED))
    assert exit_code(failed) == 3


def test_every_problem_is_said_in_its_own_words() -> None:
    problem = Problem(ProblemKind.HARNESS_FAILED, "no worker came up for basic")
    conclusion = concluded(page_of(replace(MATRIX, problems=(problem,))), Path("page"))
    assert conclusion.wrong == ("problem: no worker came up for basic",)


def test_loads_that_turned_alike_are_said_together() -> None:
    odd = tuple(replace(cell, expected=False) for cell in MATRIX.cells)
    said = concluded(page_of(replace(MATRIX, cells=odd)), Path("page")).wrong
    heads = [line for line in said if not line.startswith(" ")]
    assert [head.partition(":")[0] for head in heads] == ["unexpected"] * len(heads)
    assert len(heads) < len(odd) / 2
    assert sum(int(head.split()[-2]) for head in heads) == len(odd)
    assert any(line.startswith("  again: `ckptmatrix run --accelerate 1.15.0") for line in said)
