"""From an answer to an outcome: the status words."""

from typing import Any

import pytest

from ckptmatrix.environments.worker_process import Answer
from ckptmatrix.measure.judge import HarnessError, outcome
from ckptmatrix.model import Cell, Environment, Status, summary

CELL = Cell(Environment("0.33.0", "a"), Environment("1.15.0", "b"), "basic")
EXACT = {"exact": True, "first_difference": None, "steps": 6}
OTHER = {
    "exact": False,
    "first_difference": {"step": 1, "quantity": "lr", "expected": "1", "found": "2"},
    "steps": 6,
}


def value(components: dict[str, str], resume: Any = EXACT, error: Any = None) -> dict[str, Any]:
    return {
        "how": "raised" if error else "returned",
        "components": components,
        "differences": {},
        "resume": None if error else resume,
        "error": error,
        "swallowed": [],
        "seconds": 0.1,
    }


@pytest.mark.parametrize(
    ("components", "resume", "status"),
    [
        ({"model": "restored", "step": "restored"}, EXACT, Status.EXACT),
        ({"model": "restored", "step": "unsaved"}, EXACT, Status.EXACT),
        ({"model": "restored", "step": "unsaved"}, OTHER, Status.DEGRADED),
        ({"model": "restored", "step": "lost"}, EXACT, Status.DEGRADED),
        ({"model": "wrong", "step": "restored"}, EXACT, Status.DEGRADED),
        ({"model": "restored", "step": "absent"}, OTHER, Status.DEGRADED),
    ],
)
def test_a_load_that_returned(components: dict[str, str], resume: Any, status: Status) -> None:
    found = outcome(CELL, Answer("returned", value(components, resume)), "now")
    assert found.status == status
    assert found.measured == "now"


@pytest.mark.parametrize(
    ("components", "status"),
    [
        ({"model": "restored", "step": "unsaved"}, Status.EXACT),
        ({"model": "restored", "step": "lost"}, Status.DEGRADED),
    ],
)
def test_without_training_the_components_alone_decide(
    components: dict[str, str], status: Status
) -> None:
    found = outcome(CELL, Answer("returned", value(components, None)), "now")
    assert (found.status, found.resume) == (status, None)


def test_a_load_that_raised_failed_whatever_it_restored_first() -> None:
    error = {"type": "KeyError", "message": "'step'", "traceback": ""}
    answer = Answer("returned", value({"model": "restored"}, error=error))
    found = outcome(CELL, answer, "now")
    assert found.status == Status.FAILED
    assert summary(found) == "KeyError: 'step'"


@pytest.mark.parametrize("how", ["crashed", "timeout"])
def test_a_child_that_died(how: str) -> None:
    found = outcome(CELL, Answer(how, "killed by SIGSEGV"), "now")
    assert found.status == how
    assert "SIGSEGV" in summary(found)


def test_the_harness_own_failure_is_never_an_outcome() -> None:
    with pytest.raises(HarnessError, match="ValueError: bad"):
        outcome(CELL, Answer("raised", "Traceback\nValueError: bad"), "now")


def test_nothing_compared_is_an_error() -> None:
    with pytest.raises(HarnessError, match="compared nothing"):
        outcome(CELL, Answer("returned", value({"model": "absent"})), "now")
    with pytest.raises(HarnessError, match="compared nothing"):
        outcome(CELL, Answer("returned", value({"model": "unsaved"}, None)), "now")


def test_a_summary_names_what_is_lost_and_what_differs() -> None:
    answer = Answer("returned", value({"step": "lost", "rng.numpy": "lost"}, OTHER))
    assert summary(outcome(CELL, answer, "")) == "lost step, rng.numpy; training differs in lr"
