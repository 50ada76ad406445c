"""How accelerate names what it saves, and which component each file and key is of.

Templates have `{}` where the number of the second and later objects goes (`optimizer_1.bin`).
"""

from __future__ import annotations

import re

from ckptmatrix.worker.words import Part

PICKLED_WEIGHTS = "pytorch_model{}.bin"
SAFE_WEIGHTS = "model{}.safetensors"
OPTIMIZER = "optimizer{}.bin"
SCHEDULER = "scheduler{}.bin"
SAMPLER = "sampler{}.bin"
POSITION = "dl_state_dict{}.bin"
SCALER = "scaler.pt"

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


def component_of(file: str) -> str:
    """The component that a file as a whole belongs to; empty if accelerate writes no such file."""
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
