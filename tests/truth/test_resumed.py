"""`ckptmatrix.resume` is exact wherever the state is in the directory at all: every cell of a run.

Each cell that is not exact must have one of the excuses below, and each excuse says what is not in
the directory, or which script was meant to be another than the writer's.
"""

from collections import Counter

import pytest
from packaging.version import Version

from ckptmatrix.model import MEASURED, Status
from tests.truth.measured import GIVEN, RUN, Cell, Excuse

OTHER_SCRIPT = {
    "custom-objects-fewer": "custom_1: 2 custom objects are saved, the script registers 1",
    "custom-objects-more": "custom_1: 1 custom objects are saved, the script registers 2",
    "ddp-2-from-1": "rng.python: random_states_1.pkl is missing",
}
"""Scenario whose reader is another script on purpose -> what resume says of it."""


def _never_saved(cell: Cell) -> bool:
    """The judge saw at the save itself that the writer left it out of the directory."""
    return bool(cell.named("unsaved") - {"step"}) and not cell.named("lost", "wrong")


def _another_script(cell: Cell) -> bool:
    said = OTHER_SCRIPT.get(cell.scenario)
    return said is not None and cell.error is not None and said in cell.error.message


def _order_of_0_25(cell: Cell) -> bool:
    """0.25 puts in a sampler whose order is the script's seed and epoch, not the random states.

    What it reads, and what others read of it, goes on in another order than the writer did.
    """
    ends = (RUN.release(cell.reader), RUN.release(cell.writer))
    sampler = any(Version("0.25.0") <= release < Version("0.26.0") for release in ends)
    return sampler and cell.differs_in == "samples" and not cell.named("lost", "wrong")


def _order_between_processes(cell: Cell) -> bool:
    """A generator of its own, which processes agree by, and no checkpoint holds."""
    shuffled = cell.scenario == "ddp-2-shuffled" and cell.differs_in == "samples"
    return shuffled and not cell.named("lost", "wrong")


def _not_load_state(cell: Cell) -> bool:
    """What is under test is `load_checkpoint_in_model`, whatever the loader."""
    return cell.scenario == "sharded"


def _count_of_micro_batches(cell: Cell) -> bool:
    """Up to 0.15.0 a scheduler counts those; between 0.16.0 and 0.31.0 no file tells them."""
    said = "scheduler.bin counts optimizer steps, this release micro-batches"
    return cell.error is not None and said in cell.error.message


def _rates_of_another_release(cell: Cell) -> bool:
    """The count came back translated, and the reader's release steps the schedule otherwise."""
    return cell.cause == "scheduler-counts" and cell.components["scheduler"] == "restored"


EXCUSES: tuple[Excuse, ...] = (
    _never_saved,
    _another_script,
    _order_of_0_25,
    _order_between_processes,
    _not_load_state,
    _rates_of_another_release,
)

RARER_EXCUSES: tuple[Excuse, ...] = (_count_of_micro_batches,)
"""Such as no cell of the sample has."""


@pytest.fixture(scope="module")
def resumed() -> list[Cell]:
    """All that was loaded by it, in the releases that it promises to serve."""
    found = [
        cell
        for cell in RUN.cells("ckptmatrix", "as-saved")
        if cell.status in MEASURED and RUN.release(cell.reader) >= Version("0.15.0")
    ]
    if not found:
        pytest.skip("this run has no remedies")
    return found


def test_what_is_not_exact_was_not_in_the_directory(resumed: list[Cell]) -> None:
    rest = Counter(
        (cell.scenario, str(cell.status), cell.cause, *sorted(cell.named("lost", "wrong")))
        for cell in resumed
        if cell.status is not Status.EXACT
        and not any(excuse(cell) for excuse in (*EXCUSES, *RARER_EXCUSES))
    )
    assert not rest


def test_what_it_can_not_restore_it_says(resumed: list[Cell]) -> None:
    """It returns with nothing lost; or it raises its own error."""
    for cell in resumed:
        if _not_load_state(cell):
            continue
        if cell.status is Status.FAILED:
            assert cell.error is not None
            assert cell.error.type == "ckptmatrix.resume.ResumeError", cell
        else:
            assert cell.status in (Status.EXACT, Status.DEGRADED), cell
            assert not cell.named("lost", "wrong"), cell


@pytest.mark.skipif(GIVEN is not None, reason="a smaller run may not have every kind of cell")
@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda excuse: excuse.__name__)
def test_no_excuse_is_more_than_needed(resumed: list[Cell], excuse: Excuse) -> None:
    others = [other for other in EXCUSES if other is not excuse]
    assert any(
        excuse(cell) and not any(other(cell) for other in others)
        for cell in resumed
        if cell.status is not Status.EXACT
    )
