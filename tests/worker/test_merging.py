"""The answers of several processes, put together."""

from typing import Any

from ckptmatrix.worker.merging import merge_measured, merge_traces, merge_written, only_rank


def measured(**changes: Any) -> dict[str, Any]:
    return {
        "components": {"model": "restored", "scaler": "absent"},
        "differences": {},
        "resume": {"exact": True, "first_difference": None, "steps": 3},
        "error": None,
        "swallowed": [],
        "seconds": 0.1,
        **changes,
    }


def differing(step: int, quantity: str) -> dict[str, Any]:
    return {"exact": False, "first_difference": {"step": step, "quantity": quantity}, "steps": 3}


def test_one_process_keeps_its_names() -> None:
    assert merge_measured([measured()]) == {"how": "returned", **measured()}


def test_components_of_other_ranks_carry_their_rank_and_absent_ones_are_left_out() -> None:
    other = measured(components={"model": "lost", "scaler": "absent"}, seconds=0.3)
    merged = merge_measured([measured(), other])
    assert merged["components"] == {"model": "restored", "scaler": "absent", "model@1": "lost"}
    assert merged["seconds"] == 0.3


def test_the_earliest_difference_is_told_the_main_process_first() -> None:
    late, early = differing(3, "loss"), differing(2, "samples")
    resume = merge_measured([measured(resume=late), measured(resume=early)])["resume"]
    assert not resume["exact"]
    assert resume["first_difference"] == {"step": 2, "quantity": "samples@1"}
    both = [measured(resume=early), measured(resume=early)]
    assert merge_measured(both)["resume"]["first_difference"]["quantity"] == "samples"


def test_without_training_there_is_no_resume() -> None:
    merged = merge_measured([measured(resume=None), measured(resume=None)])
    assert (merged["how"], merged["resume"]) == ("returned", None)


def test_one_failure_is_the_failure_of_all() -> None:
    error = {"type": "KeyError", "message": "'step'", "traceback": ""}
    merged = merge_measured([measured(resume=None), measured(resume=None, error=error)])
    assert (merged["how"], merged["resume"]) == ("raised", None)
    assert merged["error"] == {**error, "rank": 1}


def test_traces_are_joined_step_by_step() -> None:
    traces = [[{"loss": 1}, {"loss": 2}], [{"loss": 3}, {"loss": 4}]]
    assert merge_traces(traces) == [{"loss": 1, "loss@1": 3}, {"loss": 2, "loss@1": 4}]


def test_what_one_process_could_not_write_no_process_wrote() -> None:
    refused = {"status": "failed", "reason": "save_state raised OSError: no space"}
    written = {"status": "written", "unsaved": {}, "trace": []}
    assert merge_written([written, refused]) == refused


def test_unsaved_parts_are_told_by_rank_and_found_again_by_it() -> None:
    answers = [
        {"status": "written", "unsaved": {"step": [""]}, "trace": [], "files": {"a": 1}},
        {"status": "written", "unsaved": {"rng.torch": [""]}, "trace": [], "files": {"a": 1}},
    ]
    merged = merge_written(answers)
    assert merged["unsaved"] == {"step": [""], "rng.torch@1": [""]}
    assert only_rank(merged["unsaved"], 0) == {"step": [""]}
    assert only_rank(merged["unsaved"], 1) == {"rng.torch": [""]}
