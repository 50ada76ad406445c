"""Expectations: which region speaks for a cell, and what makes a run fail."""

from dataclasses import replace
from datetime import date

import pytest

from ckptmatrix.knowledge.expectations import Expectations, judged_by_expectations
from ckptmatrix.knowledge.expectations.expectation import Expectation, ExpectedRegion
from ckptmatrix.model import (
    CellRecord,
    Environment,
    FirstDifference,
    Matrix,
    Resume,
    Treatment,
    Verdict,
)
from tests.support.cells import cell
from tests.support.runs import ENVIRONMENTS, run_of

TODAY = date(2026, 11, 1)
READS_STEP = ExpectedRegion(reader=">=0.32,<0.34")
RAISES = Expectation("failed", (READS_STEP,), "missing-step", "^KeyError: 'step'$")
LOSES = Expectation(
    "degraded",
    (ExpectedRegion(scenario=("basic",), lost=("rng",), unsaved=("step",), differs="samples"),),
    "numpy-refused",
)
GENERATORS = ("rng.python", "rng.numpy", "rng.torch")


def judged(known: Expectations, *cells: CellRecord, tier: str = "") -> Matrix:
    return judged_by_expectations(run_of(*cells), known, tier, TODAY)


def expected(known: Expectations, found: CellRecord) -> bool | None:
    return judged(known, found).cells[0].expected


def failed(
    reader: str = "0.33.0",
    error: str = "KeyError: 'step'",
    cause: str | None = "missing-step",
    status: str = "failed",
) -> CellRecord:
    return cell(reader=f"{reader}+torch2.4-np1", status=status, error=error, cause=cause)


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (cell(), True),
        (cell(status="degraded", lost=("step",)), False),
        (failed(), True),
        (failed(error="KeyError: 'state'"), False),
        (failed(error="KeyError: 'step' of another"), False),
        (failed(cause="refused-step"), False),
        (failed(cause=None), False),
        (cell(reader="0.33.0+torch2.4-np1"), False),
        (failed("1.0.1"), False),
        (failed(status="crashed"), False),
        (replace(failed(), error=None), False),
        (replace(failed(), loader="ckptmatrix"), False),
        (replace(failed(), treatment=Treatment.REPAIRED), False),
        (cell(status="not-run"), None),
        (cell(status="unsupported"), None),
    ],
)
def test_expected_or_not(found: CellRecord, answer: bool | None) -> None:
    assert expected(Expectations((RAISES,)), found) is answer


def lossy(
    lost: tuple[str, ...] = GENERATORS,
    differs: str = "samples",
    unsaved: tuple[str, ...] = ("step",),
    cause: str = "numpy-refused",
    scenario: str = "basic",
) -> CellRecord:
    found = cell(status="degraded", lost=lost, cause=cause, scenario=scenario)
    components = {**found.components, **dict.fromkeys(unsaved, Verdict.UNSAVED)}
    first = FirstDifference(1, differs, "", "") if differs else None
    return replace(found, components=components, resume=Resume(not differs, first))


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        (lossy(), True),
        (lossy(lost=(*GENERATORS, "scheduler")), False),
        (lossy(lost=GENERATORS[:2]), False),
        (lossy(lost=(*GENERATORS, "step"), unsaved=()), False),
        (lossy(unsaved=("step", "dataloader")), False),
        (lossy(differs="loss"), False),
        (lossy(differs=""), False),
        (lossy(cause="numpy-major"), False),
        (lossy(scenario="bf16"), False),
        (cell(), False),
    ],
)
def test_what_is_lost_is_exactly_what_is_written(found: CellRecord, answer: bool) -> None:
    assert expected(Expectations((LOSES,)), found) is answer


def test_a_component_that_is_not_lost_but_wrong_is_another_outcome() -> None:
    found = lossy()
    wrong = replace(found, components={**found.components, "rng.numpy": Verdict.WRONG})
    assert expected(Expectations((LOSES,)), wrong) is False


def test_the_first_region_that_covers_a_cell_speaks_alone() -> None:
    exact = Expectation("exact", (READS_STEP,), reason="why", link="link")
    assert expected(Expectations((exact, RAISES)), failed()) is False
    assert expected(Expectations((RAISES, exact)), failed()) is True
    assert expected(Expectations((exact, RAISES)), cell(reader="0.33.0+torch2.4-np1")) is True


def test_the_reason_is_its_own_or_the_causes() -> None:
    own = Expectation("failed", (READS_STEP,), "missing-step", "step", "better words", "a link")
    assert judged(Expectations((own,)), failed()).cells[0].expectation == "better words"
    assert own.source == "a link"
    assert "step" in judged(Expectations((RAISES,)), failed()).cells[0].expectation
    assert RAISES.source.startswith("https://")


def test_what_was_expected_instead_is_said() -> None:
    said = judged(Expectations((LOSES,)), lossy(differs="loss")).cells[0].expectation
    assert said == (
        "expected: numpy-refused; degraded; lost rng; unsaved step; training differs in samples "
        "(scenario basic; loader accelerate; treatment as-saved)"
    )


STALE = "expectation that nothing matches any more"


def test_what_nothing_matches_any_more_is_a_problem_of_the_whole_tier_only() -> None:
    other = failed(error="KeyError: 'other'")
    known = Expectations((RAISES,))
    assert not judged(known, other).problems
    assert not judged(known, other, tier="smoke").problems
    (problem,) = judged(known, other, tier="eras").problems
    assert problem.text.startswith(STALE)
    assert "reader >=0.32,<0.34" in problem.text


def test_each_region_is_stale_by_itself() -> None:
    both = replace_cells(RAISES, READS_STEP, ExpectedRegion(reader="==1.0.1"))
    (problem,) = judged(Expectations((both,)), failed(), tier="eras").problems
    assert "reader ==1.0.1" in problem.text


def test_a_region_whose_cells_others_speak_for_is_stale() -> None:
    """Though it would speak for a cell that could not be measured."""
    before = ExpectedRegion(reader="==0.33.0", scenario=("basic",))
    again = replace_cells(RAISES, before, ExpectedRegion(reader="==0.33.0"))
    unmeasured = cell(reader="0.33.0+torch2.4-np1", status="not-run", scenario="bf16")
    (problem,) = judged(Expectations((again,)), failed(), unmeasured, tier="eras").problems
    assert "scenario" not in problem.text
    assert "reader ==0.33.0" in problem.text


def test_what_covers_nothing_at_all_is_stale() -> None:
    assert judged(Expectations((RAISES,)), cell(), tier="eras").problems


def test_what_could_not_be_measured_is_not_called_stale() -> None:
    for status in ("not-run", "unsupported"):
        unmeasured = cell(reader="0.33.0+torch2.4-np1", status=status)
        assert not judged(Expectations((RAISES,)), unmeasured, tier="eras").problems


def test_an_expired_expectation_does_not_count_and_says_so() -> None:
    old = Expectation("failed", (READS_STEP,), "missing-step", "step", expires=date(2026, 10, 31))
    matrix = judged(Expectations((old,)), failed(), tier="eras")
    assert matrix.cells[0].expected is False
    assert matrix.cells[0].expectation.startswith("expired: missing-step")
    (problem,) = matrix.problems
    assert "expired on 2026-10-31" in problem.text
    last_day = judged_by_expectations(
        run_of(failed()), Expectations((old,)), "", old.expires or TODAY
    )
    assert last_day.cells[0].expected is True


@pytest.mark.parametrize(
    ("region", "field", "yes", "no"),
    [
        (ExpectedRegion(writer=">=0.32.1"), "writer", "1.0.1", "0.31.0"),
        (ExpectedRegion(writer=">=0.32.1"), "writer", "0.33.0rc1", "0.32.0"),
        (ExpectedRegion(scenario=("mid*",)), "scenario", "mid-epoch", "basic"),
        (ExpectedRegion(scenario=("!mid*", "!basic")), "scenario", "bf16", "basic"),
        (ExpectedRegion(scenario=("mid*", "!mid-epoch")), "scenario", "mid-epoch-x", "mid-epoch"),
        (ExpectedRegion(stacks=("*-np1 -> *-np2",)), "stacks", ("a-np1", "a-np2"), ("a-np1",) * 2),
        (ExpectedRegion(stacks=("a -> b", "b -> a")), "stacks", ("b", "a"), ("a", "a")),
        (ExpectedRegion(), "stacks", ("a", "a"), ("a", "a+cuda")),
        (ExpectedRegion(stacks=("*-np2 -> *",)), "stacks", ("a-np2", "b"), ("a-np2+cuda", "b")),
        (ExpectedRegion(stacks=("*+cuda -> *",)), "stacks", ("a+cuda", "a"), ("a+cuda", "a+cuda")),
        (ExpectedRegion(stacks=("*-np2+* -> *",)), "stacks", ("a-np2+cuda", "b"), ("a-np2", "b")),
        (ExpectedRegion(), "loader", "accelerate", "ckptmatrix"),
        (ExpectedRegion(treatment=("*",)), "treatment", "repaired", ""),
    ],
)
def test_what_a_region_covers(
    region: ExpectedRegion, field: str, yes: str | tuple[str, str], no: str | tuple[str, str]
) -> None:
    assert region.allows(field, yes)
    assert not no or not region.allows(field, no)


def test_what_holds_on_the_cpu_is_not_laid_over_a_gpu() -> None:
    """Nothing is unexpected there until a region names the device; what is exact is expected."""
    on_gpu = Environment("1.15.0", "torch2.4-np1+cuda")
    on_cpu = Environment("1.15.0", "torch2.4-np1")
    silent = Expectations((RAISES, LOSES))
    told = Expectations(
        (RAISES, replace_cells(LOSES, ExpectedRegion(stacks=("*+cuda -> *+cuda",))))
    )
    bad, good = lossy(), cell()
    assert silent.judged(bad, on_gpu, on_gpu, TODAY).expected is None
    assert silent.judged(bad, on_gpu, on_cpu, TODAY).expected is None
    assert silent.judged(good, on_gpu, on_gpu, TODAY).expected is True
    assert told.judged(bad, on_gpu, on_gpu, TODAY).expected is False
    assert told.judged(bad, on_gpu, on_cpu, TODAY).expected is None
    assert told.judged(bad, on_cpu, on_cpu, TODAY).expected is False


def test_a_cell_is_judged_alone_as_among_others() -> None:
    known = Expectations((RAISES, LOSES))
    for found in (failed(), failed(error="KeyError: 'other'"), lossy(), cell()):
        ends = ENVIRONMENTS[found.writer], ENVIRONMENTS[found.reader]
        assert known.judged(found, *ends, TODAY) == judged(known, found).cells[0]


def replace_cells(entry: Expectation, *regions: ExpectedRegion) -> Expectation:
    return Expectation(entry.status, regions, entry.cause, entry.message)
