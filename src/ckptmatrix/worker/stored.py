"""What a writer really put into a checkpoint, read back by the writer itself right after the save.

Only ever pointed at files that this very process wrote a moment ago, so unpickling them is safe.
"""

from __future__ import annotations

import inspect
import os
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.neutral import ABSENT, Neutral

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training

_WEIGHTS = re.compile(r"^(pytorch_)?model(-\d+-of-\d+)?\.(bin|safetensors)$")

_FREELY = (
    {"weights_only": False} if "weights_only" in inspect.signature(torch.load).parameters else {}
)


def read(path: str) -> Any:
    """Unpickle a file of one's own."""
    return torch.load(path, map_location="cpu", **_FREELY)


def read_weights(path: str) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, by name."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def numbered(directory: str, pattern: str, count: int) -> dict[str, str]:
    """Index -> path of `pattern` with `_i` put in after the first object, where there is one."""
    found = {}
    for index in range(count):
        path = os.path.join(directory, pattern.format(f"_{index}" if index else ""))
        if os.path.exists(path):
            found[str(index)] = path
    return found


def stored(training: Training, directory: str) -> dict[str, Any]:
    """Component name -> value as it lies in the files of a plain `save_state`, or `ABSENT`."""
    rank = training.accelerator.process_index
    states: dict[str, Any] = {}
    path = os.path.join(directory, f"random_states_{rank}.pkl")
    if os.path.exists(path):
        states = read(path)
    models = {
        index: read(path)
        for index, path in numbered(directory, "pytorch_model{}.bin", len(training.models)).items()
    }
    weights = numbered(directory, "model{}.safetensors", len(training.models))
    models.update({index: read_weights(path) for index, path in weights.items()})

    def listed(pattern: str, count: int) -> Any:
        return {i: read(path) for i, path in numbered(directory, pattern, count).items()} or ABSENT

    scaler = os.path.join(directory, "scaler.pt")
    custom = {
        str(index): read(os.path.join(directory, f"custom_checkpoint_{index}.pkl"))
        for index in range(len(training.custom))
        if os.path.exists(os.path.join(directory, f"custom_checkpoint_{index}.pkl"))
    }
    return {
        "model": models or ABSENT,
        "optimizer": listed("optimizer{}.bin", len(training.optimizers)),
        "scheduler": listed("scheduler{}.bin", len(training.schedulers)),
        "scaler": read(scaler) if os.path.exists(scaler) else ABSENT,
        "rng.python": states.get("random_state", ABSENT),
        "rng.numpy": states.get("numpy_random_seed", ABSENT),
        "rng.torch": states.get("torch_manual_seed", ABSENT),
        "rng.cuda": states.get("torch_cuda_manual_seed", ABSENT),
        "step": states.get("step", ABSENT),
        "custom": custom or ABSENT,
    }


def unsaved(training: Training, captured: Neutral, values: dict[str, Any]) -> dict[str, list[str]]:
    """Component -> paths of captured leaves that are not in the files, or lie there otherwise.

    A name that shares its tensor with a stored name counts as stored: both can be had back.
    """
    missing: dict[str, list[str]] = {}
    for name, leaves in captured.all_leaves().items():
        value = values.get(name, ABSENT)
        found = {} if value is ABSENT else Neutral.of({name: value}).leaves(name)
        paths = [path for path, leaf in leaves.items() if found.get(path) != leaf]
        if name == "model":
            paths = [path for path in paths if not _twin_stored(path, training, leaves, found)]
        if paths:
            missing[name] = paths
    return missing


def _twin_stored(path: str, training: Training, leaves: dict, found: dict) -> bool:
    return any(
        found.get(twin) == leaves[path] for twin in _twins(training).get(path, ()) if twin != path
    )


def _twins(training: Training) -> dict[str, list[str]]:
    """Path of a model tensor -> paths of the tensors that are the very same memory."""
    groups: dict[tuple, list[str]] = defaultdict(list)
    for index, model in enumerate(training.models):
        for name, tensor in unwrap(model).state_dict(keep_vars=True).items():
            if isinstance(tensor, torch.Tensor) and tensor.numel():
                place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
                groups[place].append(f"/{index}/{name}")
    return {path: group for group in groups.values() if len(group) > 1 for path in group}


def tied(training: Training, keys: dict[str, list[str]]) -> dict[str, str]:
    """Weight of the first model that the files leave out -> a stored one that is the same memory.

    Args:
        training: what was saved.
        keys: file -> names in it, as `describe` tells them.
    """
    weights = [names for path, names in keys.items() if _WEIGHTS.search(path)]
    there = {name for names in weights for name in names}
    found = {}
    for path, twins in _twins(training).items():
        index, _, name = path.lstrip("/").partition("/")
        names = [twin.partition("/0/")[2] for twin in twins]
        owners = [twin for twin in names if twin in there]
        if index == "0" and name not in there and owners:
            found[name] = owners[0]
    return found


def describe(directory: str) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Files of a checkpoint: relative path -> size in bytes, and -> top-level keys."""
    sizes, keys = {}, {}
    for folder, _, names in os.walk(directory):
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, directory)
            sizes[relative] = os.path.getsize(path)
            keys[relative] = _keys(path)
    return sizes, {path: found for path, found in keys.items() if found}


def _keys(path: str) -> list[str]:
    if path.endswith(".safetensors"):
        return sorted(read_weights(path)) if is_safetensors(path) else ["(a torch zip)"]
    if path.endswith((".bin", ".pkl", ".pt")):
        value = read(path)
        return [str(key) for key in value] if isinstance(value, dict) else []
    return []


def is_safetensors(path: str) -> bool:
    """Whether a file of that name really is one."""
    # accelerate 0.21 and 0.22 wrote a torch zip under this name (save_model).
    with open(path, "rb") as file:
        return file.read(2) != b"PK"
