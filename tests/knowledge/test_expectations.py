"""expectations.toml: what makes a run fail."""

import json
from datetime import date
from pathlib import Path

import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations import Expectation, Expectations, lay_over, read_expectations
from ckptmatrix.model import CellRecord, ControlsResult, Device, Matrix, RunRecord
from tests.support.cells import cell
from tests.support.places import ROOT

TODAY = date(2026, 11, 1)
KEYERROR = Expectation("failed", "^KeyError: 'step'", "why", "link", reader=">=0.32,<0.34")
KNOWN = Expectations((KEYERROR,))


def judged(known: Expectations, *cells: CellRecord, tier: str = "") -> Matrix:
    run = RunRecord("0", "", "", Device.CPU, "", "eras", ControlsResult.PASSED)
    return lay_over(Matrix(run, {}, (), cells), known, tier, TODAY)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (cell(), True),
        (cell(status="degraded", lost=("step",)), False),
        (cell(reader="0.33.0+s", status="failed", error="KeyError: 'step'"), True),
        (cell(reader="0.33.0+s", status="failed", error="KeyError: 'state'"), False),
        (cell(reader="0.33.0+s"), False),
        (cell(reader="0.34.0+s", status="failed", error="KeyError: 'step'"), False),
        (cell(reader="0.33.0+s", status="crashed", error="KeyError: 'step'"), False),
        (cell(status="not-run"), None),
        (cell(status="unsupported"), None),
    ],
)
def test_expected_or_not(found: CellRecord, expected: bool | None) -> None:
    assert judged(KNOWN, found).cells[0].expected is expected


def test_any_of_several_that_cover_a_cell_may_foretell_it() -> None:
    other = Expectation("exact", "", "why", "link", reader="==0.33.0", writer=">=0.32")
    both = Expectations((KEYERROR, other))
    assert judged(both, cell(reader="0.33.0+s")).cells[0].expected is True


def test_what_nothing_matches_any_more_is_a_problem_of_the_whole_tier_only() -> None:
    found = cell(reader="0.33.0+s", status="failed", error="KeyError: 'other'")
    assert not judged(KNOWN, found).problems
    assert "nothing matches" in judged(KNOWN, found, tier="eras").problems[0].text


def test_what_covers_nothing_at_all_is_stale() -> None:
    assert judged(KNOWN, cell(), tier="eras").problems


def test_what_could_not_be_measured_is_not_called_stale() -> None:
    assert not judged(KNOWN, cell(reader="0.33.0+s", status="not-run"), tier="eras").problems


def test_an_expired_expectation_does_not_count_and_says_so() -> None:
    old = Expectation("failed", "step", "why", "link", expires=date(2026, 10, 31))
    matrix = judged(Expectations((old,)), cell(status="failed", error="KeyError: 'step'"))
    assert matrix.cells[0].expected is False
    assert "expired" in matrix.problems[0].text


def test_relations_of_stacks_can_be_told() -> None:
    entry = Expectation(
        "degraded", "", "why", "link", writer_stack=("*-np1",), reader_stack=("*-np2",)
    )
    assert entry.covers(cell("1.1+a-np1", "1.1+a-np2"))
    assert not entry.covers(cell("1.1+a-np1", "1.1+a-np1"))


@pytest.mark.parametrize(
    "wrong",
    [
        "[[expectation]]\nstatus='failed'",
        "[[expectation]]\nstatus='flaky'\nmessage=''\nreason='r'\nlink='l'",
        "[[expectation]]\nstatus='failed'\nmessage='('\nreason='r'\nlink='l'",
        "[[expectation]]\nstatus='failed'\nmessage=''\nreason=''\nlink='l'",
        "[[expectation]]\nstatus='failed'\nmessage=''\nreason='r'\nlink='l'\nreader='~~1'",
        "[[expectation]]\nstatus='failed'\nmessage=''\nreason='r'\nlink='l'\nreeder='1'",
        "[[expectation",
    ],
)
def test_a_wrong_entry_is_told(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "expectations.toml"
    path.write_text(wrong)
    with pytest.raises(UsageError, match=r"expectations\.toml"):
        read_expectations(path)


def test_none_are_expected_without_a_file(tmp_path: Path) -> None:
    assert read_expectations(tmp_path / "no.toml").entries == ()


def test_the_committed_expectations_have_reasons_and_links() -> None:
    path = ROOT / "expectations.toml"
    for entry in read_expectations(path).entries:
        assert entry.reason
        assert entry.link
        assert json.dumps(entry.message)
