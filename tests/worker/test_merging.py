"""The answers of several processes, put together."""

from dataclasses import replace

from ckptmatrix.worker.measured import FirstDifference, Measured, Raised, Resume
from ckptmatrix.worker.merging import merge_measured, merge_traces, merge_written, only_rank
from ckptmatrix.worker.protocol import Saved, SaveFailed
from ckptmatrix.worker.words import Verdict

PLAIN = Measured(
    components={"model": Verdict.RESTORED, "scaler": Verdict.ABSENT},
    differences={},
    resume=Resume(True, None, 3),
    error=None,
    swallowed=(),
    seconds=0.1,
)
ERROR = Raised("KeyError", "'step'", "")
SAVED = Saved("checkpoint", {"a": 1}, {}, {}, {}, {}, "", ())


def differing(step: int, quantity: str) -> Measured:
    return replace(PLAIN, resume=Resume(False, FirstDifference(step, quantity, "1", "2"), 3))


def test_one_process_keeps_its_names() -> None:
    assert merge_measured([PLAIN]) == PLAIN


def test_components_of_other_ranks_carry_their_rank_and_absent_ones_are_left_out() -> None:
    components = {"model": Verdict.LOST, "scaler": Verdict.ABSENT}
    merged = merge_measured([PLAIN, replace(PLAIN, components=components, seconds=0.3)])
    assert merged.components == {**PLAIN.components, "model@1": Verdict.LOST}
    assert merged.seconds == 0.3


def test_the_earliest_difference_is_told_the_main_process_first() -> None:
    late, early = differing(3, "loss"), differing(2, "samples")
    resume = merge_measured([late, early]).resume
    assert resume == Resume(False, FirstDifference(2, "samples@1", "1", "2"), 3)
    assert merge_measured([early, early]).resume == early.resume


def test_without_training_there_is_no_resume() -> None:
    without = replace(PLAIN, resume=None)
    merged = merge_measured([without, without])
    assert (merged.resume, merged.error) == (None, None)


def test_one_failure_is_the_failure_of_all() -> None:
    without = replace(PLAIN, resume=None)
    merged = merge_measured([without, replace(without, error=ERROR)])
    assert (merged.resume, merged.error) == (None, replace(ERROR, rank=1))


def test_what_was_swallowed_is_told_with_its_rank() -> None:
    merged = merge_measured([PLAIN, replace(PLAIN, swallowed=(ERROR,))])
    assert merged.swallowed == (replace(ERROR, rank=1),)


def test_traces_are_joined_step_by_step() -> None:
    traces = [[{"loss": 1}, {"loss": 2}], [{"loss": 3}, {"loss": 4}]]
    assert merge_traces(traces) == ({"loss": 1, "loss@1": 3}, {"loss": 2, "loss@1": 4})


def test_what_one_process_could_not_write_no_process_wrote() -> None:
    refused = SaveFailed("save_state raised OSError: no space")
    assert merge_written([SAVED, refused]) == refused


def test_unsaved_parts_are_told_by_rank_and_found_again_by_it() -> None:
    one, two = replace(SAVED, unsaved={"step": ("",)}), replace(SAVED, unsaved={"rng.torch": ("",)})
    merged = merge_written([one, two])
    assert isinstance(merged, Saved)
    assert merged.unsaved == {"step": ("",), "rng.torch@1": ("",)}
    assert merged.files == SAVED.files
    assert only_rank(merged.unsaved, 0) == {"step": ("",)}
    assert only_rank(merged.unsaved, 1) == {"rng.torch": ("",)}
