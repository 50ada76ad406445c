"""How accelerate names what it saves, and which component each file and key is of.

Templates have `{}` where the number of the second and later objects goes (`optimizer_1.bin`).
"""

from __future__ import annotations

import re
from typing import Any

from ckptmatrix.worker.words import Part

PICKLED_WEIGHTS = "pytorch_model{}.bin"
SAFE_WEIGHTS = "model{}.safetensors"
OPTIMIZER = "optimizer{}.bin"
SCHEDULER = "scheduler{}.bin"
SAMPLER = "sampler{}.bin"
POSITION = "dl_state_dict{}.bin"
SCALER = "scaler.pt"

FSDP_WEIGHTS = "pytorch_model_fsdp"
FSDP_WEIGHTS_EARLY = "pytorch_model"
"""What the names of FSDP's weights begin with, the second before 0.25."""
FSDP_OPTIMIZER = "optimizer"

_ENGINE = re.compile(
    r"pytorch_model(?:_\d+)?/(?:bf16_)?(?:zero_pp_rank_(\d+)_)?mp_rank_\d+_(model|optim)_states\.pt"
)
"""DeepSpeed's files: of one process if it has a number, else of all."""
_ENGINE_KEYS = {
    "optimizer_state_dict/base_optimizer_state": Part.OPTIMIZER,
    "optimizer_state_dict/optimizer_state_dict": Part.OPTIMIZER,  # ZeRO-3
    "optimizer_state_dict/single_partition_of_fp32_groups": Part.MODEL,
    "optimizer_state_dict/fp32_flat_groups": Part.MODEL,  # ZeRO-3
    "optimizer_state_dict/clip_grad": Part.ENGINE,
    **dict.fromkeys(("global_steps", "global_samples", "skipped_steps"), Part.ENGINE),
    "lr_scheduler": Part.SCHEDULER,  # where accelerate leaves the schedule to it
}
"""What of them is read into the training. `module` is too, but the master weights go over it."""
_UNIVERSAL = re.compile(r"pytorch_model(?:_\d+)?/zero/(?:.+/(?:(fp32)|\w+)|(optimizer_state))\.pt")
"""Files of DeepSpeed's universal form, read by all: a value of a parameter each, and one of all."""
_ENGINE_NOTES = re.compile(r"latest(?:_universal)?|zero_to_\w+\.py")
"""What DeepSpeed leaves beside them; a load by `load_state` reads none of it."""

_CUSTOM = "custom_checkpoint_{}.pkl"
_RANDOM = "random_states_{}.pkl"

RANDOM_KEYS = {
    Part.PYTHON_RANDOM: "random_state",
    Part.NUMPY_RANDOM: "numpy_random_seed",
    Part.TORCH_RANDOM: "torch_manual_seed",
    Part.CUDA_RANDOM: "torch_cuda_manual_seed",
    Part.STEP: "step",
}
"""Component -> its key in the file of random states."""

_SHARD = r"-\d+-of-\d+"
_NUMBER = r"_\d+"
_OWNERS = {
    **dict.fromkeys((PICKLED_WEIGHTS, SAFE_WEIGHTS), Part.MODEL),
    OPTIMIZER: Part.OPTIMIZER,
    SCHEDULER: Part.SCHEDULER,
    **dict.fromkeys((SAMPLER, POSITION), Part.DATALOADER),
    SCALER: Part.SCALER,
}


def custom_file(index: int) -> str:
    """The file of a registered object; the first one's has its number as well."""
    return _CUSTOM.format(index)


def random_file(rank: int) -> str:
    """The file of a process's random states."""
    return _RANDOM.format(rank)


def rank_of(file: str) -> int | None:
    """Whose random states a file holds; None if it holds none."""
    found = re.fullmatch(_pattern(_RANDOM, r"(\d+)"), file)
    return int(found[1]) if found else None


def engine_rank_of(file: str) -> int | None:
    """Whose part of a DeepSpeed checkpoint a file holds; None if it is none, or of all."""
    found = _ENGINE.fullmatch(file)
    return int(found[1]) if found and found[1] else None


def key_in(file: str, path: tuple[Any, ...]) -> Any:
    """The key that says which component a place in a file is of: mostly the first.

    DeepSpeed keeps weights and optimizer of a process in one dict, `optimizer_state_dict`.
    """
    if _ENGINE.fullmatch(file) and path[0] == "optimizer_state_dict" and len(path) > 1:
        return f"{path[0]}/{path[1]}"
    return path[0]


def engine_parts(file: str, key: Any) -> tuple[str, ...] | None:
    """Components of a place in a file of DeepSpeed's; None if it is of another file.

    Args:
        file: path below the checkpoint's directory.
        key: as `key_in` gives it; None for the file as a whole.
    """
    if _ENGINE_NOTES.fullmatch(file):
        return ()
    universal = _UNIVERSAL.fullmatch(file)
    if universal:
        value = {"param": Part.MODEL if universal[1] else Part.OPTIMIZER}
        rest = {"param_groups": Part.OPTIMIZER, "clip_grad": Part.ENGINE}
        read = rest if universal[2] else value
        return tuple(part for name, part in read.items() if key in (None, name))
    kind = _ENGINE.fullmatch(file)
    if kind is None:
        return None
    wanted = [own for own in _ENGINE_KEYS if own.startswith("optimizer") == (kind[2] == "optim")]
    found = [_ENGINE_KEYS[own] for own in wanted if key in (None, own, own.partition("/")[0])]
    return tuple(dict.fromkeys(found))


_SHARDED = {
    **dict.fromkeys((FSDP_WEIGHTS, FSDP_WEIGHTS_EARLY), Part.MODEL),
    FSDP_OPTIMIZER: Part.OPTIMIZER,
}
_FSDP_FILE = re.compile(r"(\w+?)(?:_\d+/.*|(?:_\d+)?\.bin)")


def component_of(file: str) -> str:
    """The component that a file as a whole belongs to; empty if accelerate writes no such file."""
    fsdp = _FSDP_FILE.fullmatch(file)
    if fsdp and fsdp[1] in _SHARDED:
        return _SHARDED[fsdp[1]]
    if re.fullmatch(_pattern(_CUSTOM, r"\d+"), file):
        return Part.CUSTOM
    for template, component in _OWNERS.items():
        pattern = _pattern(template, rf"({_NUMBER})?")
        if component is Part.MODEL:
            pattern = _pattern(template, rf"({_NUMBER}|{_SHARD})?") + r"(\.index\.json)?"
        if re.fullmatch(pattern, file):
            return component
    return ""


def is_weights_of_first(file: str) -> bool:
    """Whether a file holds weights of the first model, or a shard of them."""
    both = PICKLED_WEIGHTS, SAFE_WEIGHTS
    return any(re.fullmatch(_pattern(template, f"({_SHARD})?"), file) for template in both)


def _pattern(template: str, number: str) -> str:
    return number.join(map(re.escape, template.split("{}")))
