"""From an answer to an outcome: the status words."""

import pytest

from ckptmatrix.measure.faults import HarnessError
from ckptmatrix.measure.judge import outcome
from ckptmatrix.model import Cell, Difference, Environment, ErrorRecord, Status, Verdict, summary
from ckptmatrix.worker import protocol, words
from ckptmatrix.worker.measured import Difference as WorkerDifference
from ckptmatrix.worker.measured import FirstDifference, Measured, Raised, Resume
from ckptmatrix.worker.protocol import NotReturned, Returned, Unsupported
from ckptmatrix.worker.words import Ending

CELL = Cell(Environment("0.33.0", "a"), Environment("1.15.0", "b"), "basic")
EXACT = Resume(exact=True, first_difference=None, steps=6)
OTHER = Resume(exact=False, first_difference=FirstDifference(1, "lr", "1", "2"), steps=6)


def measured(
    components: dict[str, str], resume: Resume | None = EXACT, error: Raised | None = None
) -> Returned[protocol.LoadAnswer]:
    verdicts = {name: words.Verdict(verdict) for name, verdict in components.items()}
    return Returned(Measured(verdicts, {}, None if error else resume, error, (), 0.1))


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
def test_a_load_that_returned(components: dict[str, str], resume: Resume, status: Status) -> None:
    found = outcome(CELL, measured(components, resume), "now")
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
    found = outcome(CELL, measured(components, None), "now")
    assert (found.status, found.resume) == (status, None)


def test_a_load_that_raised_failed_whatever_it_restored_first() -> None:
    answer = measured({"model": "restored"}, error=Raised("KeyError", "'step'", "", rank=1))
    found = outcome(CELL, answer, "now")
    assert found.status == Status.FAILED
    assert found.error == ErrorRecord("KeyError", "'step'", "", rank=1)
    assert summary(found) == "KeyError: 'step'"


def test_what_was_measured_is_reported_in_the_words_of_the_report() -> None:
    difference = WorkerDifference("0/step", "1", "2", 3, 4)
    swallowed = Raised("TypeError", "state", "", rank=1)
    lost = {"step": words.Verdict.LOST}
    answer = Measured(lost, {"step": difference}, OTHER, None, (swallowed,), 0.1)
    found = outcome(CELL, Returned(answer), "now")
    assert type(found.components["step"]) is Verdict
    assert found.differences == {"step": Difference("0/step", "1", "2", 3, 4)}
    assert found.swallowed == (ErrorRecord("TypeError", "state", "", 1),)
    assert found.seconds == 0.1
    assert found.resume is not None
    assert found.resume.first_difference is not None
    assert (found.resume.steps, found.resume.first_difference.quantity) == (6, "lr")


def test_what_a_release_cannot_do_is_unsupported_with_its_reason() -> None:
    found = outcome(CELL, Returned(Unsupported("no hooks")), "now")
    assert (found.status, found.reason) == (Status.UNSUPPORTED, "no hooks")


@pytest.mark.parametrize(
    ("how", "status"), [(Ending.CRASHED, Status.CRASHED), (Ending.TIMEOUT, Status.TIMEOUT)]
)
def test_a_child_that_died(how: Ending, status: Status) -> None:
    found = outcome(CELL, NotReturned(how, "killed by SIGSEGV"), "now")
    assert found.status == status
    assert summary(found) == f"{status}: killed by SIGSEGV"


def test_the_harness_own_failure_is_never_an_outcome() -> None:
    with pytest.raises(HarnessError, match="ValueError: bad"):
        outcome(CELL, NotReturned(Ending.RAISED, "Traceback\nValueError: bad"), "now")


def test_nothing_compared_is_an_error() -> None:
    with pytest.raises(HarnessError, match="compared nothing"):
        outcome(CELL, measured({"model": "absent"}), "now")
    with pytest.raises(HarnessError, match="compared nothing"):
        outcome(CELL, measured({"model": "unsaved"}, None), "now")


def test_a_summary_names_what_is_lost_and_what_differs() -> None:
    answer = measured({"step": "lost", "rng.numpy": "lost"}, OTHER)
    assert summary(outcome(CELL, answer, "")) == "lost step, rng.numpy; training differs in lr"
