"""Who wrote a directory: each stack's own layout is recognised as that stack."""

import json
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.prediction import predict
from ckptmatrix.checkpoint.inspect.provenance import About, provenance
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp
from ckptmatrix.checkpoint.inspect.training_stacks import recognise, stacks
from tests.support.places import BY_TRAINING_STACK, LORA
from tests.support.torch_files import safetensors, torch_file

CORE = ("optimizer.bin", "scheduler.bin", "random_states_0.pkl")
TRAINER: dict[str, object] = {"trainer_state.json": {"global_step": 10, "epoch": 0.5}}

LAYOUTS: dict[str, tuple[str, tuple[str, ...], dict[str, object]]] = {
    "accelerate": ("state", ("model.safetensors", *CORE), {}),
    "accelerate-automatic": ("checkpoint_3", ("model.safetensors", *CORE), {}),
    "accelerate-fsdp": ("state", ("pytorch_model_fsdp.bin", *CORE), {}),
    "accelerate-fsdp-early": (
        "state",
        ("pytorch_model.bin", "named/optimizer.bin", "random_states_0.pkl"),
        {},
    ),
    "accelerate-weights": ("weights", ("model-00001-of-00002.safetensors",), {}),
    "accelerate-deepspeed": (
        "state",
        ("pytorch_model/mp_rank_00_model_states.pt", "random_states_0.pkl"),
        {},
    ),
    "kohya-network": (
        "x-000030-state",
        ("model.safetensors", *CORE),
        {"train_state.json": {"current_epoch": 30, "current_step": 360}},
    ),
    "kohya-full": ("x-step00000800-state", ("model.safetensors", *CORE), {}),
    "musubi-tuner": ("x-000030-state", ("lora/model.safetensors", *CORE), {}),
    "diffusers": ("checkpoint-500", ("unet/diffusion_pytorch_model.safetensors", *CORE), {}),
    "diffusers-ema": (
        "checkpoint-500",
        (
            "unet/diffusion_pytorch_model.safetensors",
            "unet_ema/diffusion_pytorch_model.safetensors",
            *CORE,
        ),
        {"unet_ema/config.json": {"decay": 0.9999}},
    ),
    "diffusers-lora": ("checkpoint-500", ("pytorch_lora_weights.safetensors", *CORE), {}),
    "simpletuner": ("checkpoint-500", CORE, {"training_state.json": {"global_step": 500}}),
    "opentau": ("state", ("model.safetensors", "rng_state.safetensors", *CORE), {}),
    "finetrainers": ("finetrainers_step_100", ("states.pt",), {}),
    "trainer": ("checkpoint-500", ("model.safetensors", "optimizer.pt", "rng_state.pth"), TRAINER),
    "trainer-peft": ("checkpoint-500", ("adapter_model.safetensors", "optimizer.pt"), TRAINER),
    "deepspeed": ("run", ("global_step10/mp_rank_00_model_states.pt", "latest"), {}),
    "ai-toolkit": ("my-lora", ("my-lora_000001000.safetensors", "optimizer.pt"), {}),
    "onetrainer": ("backup", ("optimizer/optimizer.pt",), {"meta.json": {"train_progress": {}}}),
    "mmengine": ("work", ("epoch_12.pth",), {}),
    "torch-distributed": ("dcp", ("__0_0.distcp", ".metadata"), {}),
}
STACK = ("2.4.1", "1.26.4")

BY_NAME = {"state": {"x.weight": {}}, "param_groups": [{"lr": 0.1, "params": ["x.weight"]}]}
"""An optimizer's state as FSDP gathers it."""


def _build(root: Path, name: str, files: tuple[str, ...], documents: dict[str, object]) -> Path:
    directory = root / name
    for file in files:
        path = directory / file.removeprefix("lora/").removeprefix("named/")
        path.parent.mkdir(parents=True, exist_ok=True)
        key = "lora_unet_x.lora_up.weight" if file.startswith("lora/") else "x.weight"
        weights = file.endswith(".safetensors")
        value: object = BY_NAME if file.startswith("named/") else {}
        value = {"lr_scheduler": None} if file.endswith("_model_states.pt") else value
        path.write_bytes(safetensors({key: ("F32", [1], 4)}) if weights else torch_file(value))
    for file, content in documents.items():
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    return directory


def test_every_stack_has_a_layout_here() -> None:
    assert set(LAYOUTS) == {stack.id for stack in stacks()}


@pytest.mark.parametrize("id_", LAYOUTS)
def test_layout_is_recognised(tmp_path: Path, id_: str) -> None:
    assert recognise(gather(_build(tmp_path, *LAYOUTS[id_]))).id == id_


@pytest.mark.parametrize(
    ("weights", "raises"),
    [
        ("pytorch_model_fsdp.bin", "FileNotFoundError"),
        ("pytorch_model_fsdp_0/__0_0.distcp", "CheckpointException"),
    ],
)
def test_of_fsdp_only_what_is_known_is_predicted(tmp_path: Path, weights: str, raises: str) -> None:
    facts = gather(_build(tmp_path, "state", (weights, *CORE), {}))
    old = predict(facts, "0.24.1", "2.4.1", "1.26.4", Fsdp.FSDP1)
    assert (old.status, old.cause) == ("failed", "fsdp-names")
    assert old.raises.startswith(raises)
    new = predict(facts, "1.15.0", "2.13.0", "2.4.1")
    assert new.status == "not-run"
    assert "FSDP1 or FSDP2" in new.reason


def test_real_ones() -> None:
    assert recognise(gather(LORA)).id == "kohya-network"
    assert recognise(gather(BY_TRAINING_STACK / "plain-1.15.0-torch2.13-numpy2")).id == "accelerate"


def test_an_empty_folder_is_unknown(tmp_path: Path) -> None:
    assert recognise(gather(tmp_path)).id == "unknown"


def test_what_deepspeed_loads_is_predicted_as_far_as_it_was_measured(tmp_path: Path) -> None:
    name, files, documents = LAYOUTS["accelerate-deepspeed"]
    also = ("scheduler.bin", "pytorch_lora_weights.safetensors")
    facts = gather(_build(tmp_path, name, (*files, *also), documents))
    assert recognise(facts).id == "accelerate-deepspeed"
    measured = predict(facts, "1.15.0", "2.13.0", "2.4.1")
    assert {measured.components[name] for name in ("model", "optimizer")} == {"restored"}
    older = predict(facts, "0.31.0", "2.13.0", "1.26.4")
    assert (older.status, older.reason.startswith("Not predicted: DeepSpeed")) == ("not-run", True)
    before = predict(facts, "1.15.0", "2.3.0", "1.26.4")
    assert (before.status, before.reason) == ("not-run", older.reason)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (
            {"optimizer_state_dict": {"zero_stage": 2}, "ds_version": "0.19.8"},
            "0.19.8, ZeRO stage 2",
        ),
        ({"optimizer_state_dict": {"zero_stage": 1}}, "ZeRO stage 1"),
        ({"optimizer_state_dict": {"zero_stage": 7}}, ""),
        ({"optimizer_state_dict": {}}, ""),
    ],
)
def test_the_stage_of_zero_is_told_where_a_file_says_it(
    tmp_path: Path, part: dict[str, object], told: str
) -> None:
    directory = _build(tmp_path, *LAYOUTS["accelerate-deepspeed"])
    name = "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    (directory / "pytorch_model" / name).write_bytes(torch_file(part))
    seen = [one for one in provenance(gather(directory)) if one.about is About.DEEPSPEED]
    assert [one.conclusion for one in seen] == ([told] if told else [])


def test_what_hangs_on_the_script_is_not_predicted_of_deepspeed(tmp_path: Path) -> None:
    name, files, documents = LAYOUTS["accelerate-deepspeed"]
    universal = _build(tmp_path, name, (*files, "pytorch_model/zero/x/fp32.pt"), documents)
    assert "universal form" in predict(gather(universal), "1.15.0", "2.13.0", "2.4.1").reason


def test_shards_of_deepspeed_that_are_not_read_are_not_predicted(tmp_path: Path) -> None:
    directory = _build(tmp_path, *LAYOUTS["accelerate-deepspeed"])
    (directory / "pytorch_model" / "mp_rank_00_model_states.pt").write_bytes(b"PK\3\4")
    outcome = predict(gather(directory), "1.15.0", "2.13.0", "2.4.1")
    assert (outcome.status, "mp_rank_00_model_states.pt" in outcome.reason) == ("not-run", True)
