"""The summary: what it says, and that nothing in it can be markup."""

from dataclasses import replace

from ckptmatrix.model import ControlsResult, Matrix, Problem, ProblemKind, Status
from ckptmatrix.results.report import markdown
from ckptmatrix.results.report.page import page_of
from tests.support import synthetic

MATRIX = synthetic.matrix()


def told(matrix: Matrix = MATRIX, baseline: Matrix | None = None) -> str:
    return markdown.render(page_of(matrix, baseline)).decode()


def test_it_has_the_counts_the_newest_release_the_grid_and_the_causes() -> None:
    text = told()
    assert "| As it is today | 635 | 720 | 494 | 176 | 1849 |" in text
    assert "| 1.15.0 on torch2.15-np2 | 0.14.0–0.31.0 and 0.34.2–1.15.0 on torch2.15-np2 |" in text
    assert "| saved \\ loaded | A 0.14.0 | B 0.15.0–0.24.1 |" in text
    assert "  - readers 0.32.1–0.33.0 on torch 2.15.0, saved with any tested release (86)" in text
    assert "Newer releases: accelerate 1.16.0 is out and not measured." in text


def test_of_many_scenarios_the_plain_one_is_shown_first_and_all_by_status() -> None:
    text = told(synthetic.matrix(["0.33.0", "1.15.0"], ["basic", "hooks"]))
    assert "### Era with era (scenario basic)" in text
    first, every = text.split("<summary>All 2 scenarios together</summary>")
    assert "| **A 0.33.0** | ✓ | ✓ |" in first
    assert "| **B 1.15.0** | ✗ | ✓ |" in first
    assert "Saved on **torch2.15-np1**, loaded on **torch2.15-np1**" in every


def test_a_cell_whose_loads_differ_counts_each_status_and_shows_no_worst() -> None:
    text = told(synthetic.matrix(["0.32.1", "0.33.0", "0.34.2"], ["basic", "hooks"]))
    every = text.split("<summary>All 2 scenarios together</summary>")[1]
    newest = every.partition("Saved on **torch2.15-np1**, loaded on **torch2.15-np1**")[2]
    assert "6≠ 12✗" in newest.partition("Saved on")[0]


def test_what_a_remedy_makes_exact_is_counted_against_what_is_not_so_today() -> None:
    assert "Made exact: With ckptmatrix.resume: 1214 of the 1214 loads that are not exact" in told()


def test_it_fits_a_comment_even_for_every_release_and_scenario() -> None:
    full = synthetic.matrix(synthetic.FULL, ["basic"], (("accelerate", "as-saved"),))
    assert len(told(full)) < 65_536


def test_what_is_worse_than_the_baseline_stands_on_top() -> None:
    worse = tuple(
        replace(cell, status=Status.CRASHED) if cell.status is Status.EXACT else cell
        for cell in MATRIX.cells[:60]
    )
    text = told(replace(MATRIX, cells=(*worse, *MATRIX.cells[60:])), MATRIX)
    alarm, table = text.index("Worse than in the baseline"), text.index("| loaded |")
    assert alarm < table
    assert "exact → crashed" in text


def test_failed_controls_and_problems_stand_on_top() -> None:
    controls = (replace(MATRIX.controls[0], passed=False), *MATRIX.controls[1:])
    run = replace(MATRIX.run, controls=ControlsResult.FAILED)
    stale = Problem(ProblemKind.EXPECTATION_STALE, "a stale expectation")
    text = told(replace(MATRIX, run=run, controls=controls, problems=(stale,)))
    assert text.index("Controls failed (1 of 3)") < text.index("| loaded |")
    assert text.index("a stale expectation") < text.index("| loaded |")


def test_markup_of_a_message_is_only_text() -> None:
    hostile = "<img src=x onerror=alert(1)> | [x](javascript:alert(1)) `code` @everyone #1"
    text = told(synthetic.matrix(["0.33.0", "1.15.0"], hostile=hostile))
    assert "<img" not in text
    assert "](javascript:" not in text
    assert "@everyone" not in text
    assert "&#60;img src=x onerror=alert(1)&#62; &#124; &#91;x&#93;" in text


def test_many_scenarios_are_counted_one_by_one_and_still_fit_a_comment() -> None:
    names = [f"scenario-{number}" for number in range(53)]
    matrix = synthetic.matrix(["0.33.0", "1.15.0"], scenarios=names)
    problems = tuple(Problem(ProblemKind.OTHER, f"problem {n}") for n in range(2000))
    text = told(replace(matrix, problems=problems))
    assert "53 scenarios" in text.splitlines()[2]
    today = [cell for cell in matrix.cells if cell.loader == "accelerate"]
    exact = sum(c.status == "exact" and c.scenario == names[7] for c in today)
    assert f"| {names[7]} | {exact} |" in text
    assert "problem 9" in text
    assert "problem 10" not in text
    assert "1990 more" in text
    assert len(text) < 65_536
