"""Who wrote a directory: each stack's own layout is recognised as that stack."""

import json
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.training_stacks import recognise, stacks
from tests.support.places import BY_TRAINING_STACK, LORA
from tests.support.torch_files import safetensors, torch_file

CORE = ("optimizer.bin", "scheduler.bin", "random_states_0.pkl")
TRAINER: dict[str, object] = {"trainer_state.json": {"global_step": 10, "epoch": 0.5}}

LAYOUTS: dict[str, tuple[str, tuple[str, ...], dict[str, object]]] = {
    "accelerate": ("state", ("model.safetensors", *CORE), {}),
    "accelerate-automatic": ("checkpoint_3", ("model.safetensors", *CORE), {}),
    "accelerate-fsdp": ("state", ("pytorch_model_fsdp.bin", *CORE), {}),
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


def _build(root: Path, name: str, files: tuple[str, ...], documents: dict[str, object]) -> Path:
    directory = root / name
    for file in files:
        path = directory / file.removeprefix("lora/")
        path.parent.mkdir(parents=True, exist_ok=True)
        key = "lora_unet_x.lora_up.weight" if file.startswith("lora/") else "x.weight"
        weights = file.endswith(".safetensors")
        path.write_bytes(safetensors({key: ("F32", [1], 4)}) if weights else torch_file({}))
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


def test_real_ones() -> None:
    assert recognise(gather(LORA)).id == "kohya-network"
    assert recognise(gather(BY_TRAINING_STACK / "plain-1.15.0-torch2.13-numpy2")).id == "accelerate"


def test_an_empty_folder_is_unknown(tmp_path: Path) -> None:
    assert recognise(gather(tmp_path)).id == "unknown"
