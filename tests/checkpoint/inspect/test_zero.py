"""A schedule that DeepSpeed or accelerate kept, and what readers of either kind make of it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.prediction import Prediction, predict
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import ACCELERATE
from ckptmatrix.model import Status, Verdict
from tests.support.places import FIXTURES, FOUNDING
from tests.support.torch_files import torch_file

STACK = ("2.4.1", "1.26.4")
(WITHOUT_STEP,) = (FIXTURES / "basic" / "0.31.0+torch2.4-np1").glob("*/random_states_0.pkl")
WITH_STEP = FOUNDING / "random_states_0.pkl"
OF_TORCH = {"step_size": 4, "last_epoch": 3, "_last_lr": [0.01]}
OF_DEEPSPEED = {"last_batch_iteration": 3}
HANDING, OTHER = "0.24.1", "1.15.0"
"""A release that hands schedules to DeepSpeed, and one that does not."""
LOADED = {"model", "optimizer", "engine"}


def _checkpoint(
    root: Path,
    states: dict[str, object],
    *,
    file: bool = False,
    step: bool = False,
    stage: int = 2,
    group: str = "lr",
) -> Path:
    """A directory of one process.

    Args:
        root: where.
        states: what DeepSpeed's model states hold.
        file: whether there is a scheduler.bin.
        step: whether the random states hold a step, as those of newer releases.
        stage: of ZeRO.
        group: a key of the optimizer's group.
    """
    engine = root / "pytorch_model"
    engine.mkdir()
    part = "zero_pp_rank_0_mp_rank_00"
    weights = f"{part}_model_states.pt" if stage == 3 else "mp_rank_00_model_states.pt"
    (engine / weights).write_bytes(torch_file(states))
    inner = "optimizer_state_dict" if stage == 3 else "base_optimizer_state"
    optimizer = {"zero_stage": stage, inner: {"param_groups": [{group: 0.01}]}}
    content = torch_file({"optimizer_state_dict": optimizer})
    (engine / f"{part}_optim_states.pt").write_bytes(content)
    shutil.copy(WITH_STEP if step else WITHOUT_STEP, root / "random_states_0.pkl")
    if file:
        (root / "scheduler.bin").write_bytes(torch_file(OF_TORCH))
    return root


def _predicted(directory: Path, accelerate: str) -> Prediction:
    return predict(gather(directory), accelerate, *STACK)


def test_a_schedule_that_deepspeed_kept_is_missed_by_other_releases(tmp_path: Path) -> None:
    directory = _checkpoint(tmp_path, {"lr_scheduler": OF_TORCH}, group="initial_lr")
    same = _predicted(directory, HANDING)
    assert same.status is Status.EXACT
    assert {same.components[name] for name in (*LOADED, "scheduler")} == {Verdict.RESTORED}
    other = _predicted(directory, OTHER)
    assert (other.status, other.cause) == (Status.FAILED, CauseId.ENGINE_SCHEDULE)
    assert other.raises.startswith("FileNotFoundError")
    assert "scheduler.bin" in other.raises
    assert {other.components[name] for name in LOADED} == {Verdict.RESTORED}
    assert other.components["scheduler"] is other.components["rng.torch"] is Verdict.LOST


def test_a_schedule_that_accelerate_kept_is_none_to_releases_that_hand_it_over(
    tmp_path: Path,
) -> None:
    directory = _checkpoint(tmp_path, {"lr_scheduler": None}, file=True, step=True)
    same = _predicted(directory, OTHER)
    assert (same.status, same.components["scheduler"]) == (Status.EXACT, Verdict.RESTORED)
    other = _predicted(directory, HANDING)
    assert (other.status, other.cause) == (Status.FAILED, CauseId.ENGINE_SCHEDULE)
    assert other.raises == "TypeError: 'NoneType' object is not iterable"
    assert other.components.pop("model") is Verdict.WRONG
    assert set(other.components.values()) == {Verdict.LOST}
    assert set(other.components) >= {"optimizer", "scheduler", "engine", "step"}


@pytest.mark.parametrize("accelerate", [HANDING, "0.31.0", OTHER])
def test_without_a_schedule_there_is_nothing_to_miss(tmp_path: Path, accelerate: str) -> None:
    one = _predicted(_checkpoint(tmp_path, {"lr_scheduler": None}), accelerate)
    assert (one.status, "scheduler" in one.components) == (Status.EXACT, False)


@pytest.mark.parametrize(
    ("states", "options", "accelerate", "said"),
    [
        ({}, {}, OTHER, "none of its files says"),
        ({"lr_scheduler": 5}, {}, OTHER, "none of its files says"),
        ({"lr_scheduler": OF_TORCH}, {"file": True}, OTHER, "which one the script uses"),
        ({"lr_scheduler": OF_DEEPSPEED}, {}, HANDING, "the script itself leaves its schedule"),
        ({"lr_scheduler": OF_TORCH}, {"step": True}, OTHER, "the script itself leaves its"),
        ({"lr_scheduler": OF_TORCH}, {"stage": 3}, OTHER, "not been measured of ZeRO-3"),
        ({"lr_scheduler": None}, {"group": "initial_lr"}, OTHER, "keeps its initial_lr"),
        (
            {"lr_scheduler": None},
            {"stage": 3, "group": "initial_lr"},
            OTHER,
            "keeps its initial_lr",
        ),
        ({"lr_scheduler": None}, {"file": True, "stage": 3}, HANDING, "(ZeRO-3: 0.33.0)"),
        ({"lr_scheduler": OF_TORCH}, {}, "0.23.0", "measured from accelerate 0.24.1"),
    ],
)
def test_what_no_file_tells_and_what_was_not_measured_is_not_predicted(
    tmp_path: Path, states: dict[str, object], options: dict[str, Any], accelerate: str, said: str
) -> None:
    one = _predicted(_checkpoint(tmp_path, states, **options), accelerate)
    assert (one.status, said in one.reason) == (Status.NOT_RUN, True), one.reason


def test_no_release_that_hands_schedules_over_saves_a_step() -> None:
    """By a step a schedule in DeepSpeed's file is known to be there by the script's own wish."""
    releases = [ACCELERATE.at(str(start)) for start in ACCELERATE.starts]
    assert not any(one.engine_schedules and one.restores_step for one in releases)
