"""What a writer really put into a checkpoint, read back by the writer itself right after the save.

Only ever pointed at files that this very process wrote a moment ago, so unpickling them is safe.
"""

from __future__ import annotations

import inspect
import io
import os
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from ckptmatrix.worker import layout
from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.neutral import ABSENT, Leaves, Neutral
from ckptmatrix.worker.words import Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training

_FREELY = (
    {"weights_only": False} if "weights_only" in inspect.signature(torch.load).parameters else {}
)


def read(path: str | io.BytesIO) -> Any:
    """Unpickle a file of one's own, or what lies in memory of it."""
    return torch.load(path, map_location="cpu", **_FREELY)


def read_weights(path: str) -> dict[str, torch.Tensor]:
    """Tensors of a safetensors file, by name."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def numbered(directory: str, template: str, count: int) -> dict[str, str]:
    """Index -> path by a template of `layout`, where there is one."""
    found = {}
    for index in range(count):
        path = os.path.join(directory, template.format(f"_{index}" if index else ""))
        if os.path.exists(path):
            found[str(index)] = path
    return found


def stored(training: Training, directory: str) -> dict[str, Any]:
    """Component name -> value as it lies in the files of a plain `save_state`, or `ABSENT`."""
    rank = training.accelerator.process_index
    states: dict[str, Any] = {}
    path = os.path.join(directory, layout.random_file(rank))
    if os.path.exists(path):
        states = read(path)

    def listed(template: str, objects: list[Any]) -> dict[str, Any]:
        return {i: read(path) for i, path in numbered(directory, template, len(objects)).items()}

    models = listed(layout.PICKLED_WEIGHTS, training.models)
    weights = numbered(directory, layout.SAFE_WEIGHTS, len(training.models))
    models.update({index: read_weights(path) for index, path in weights.items()})
    scaler = os.path.join(directory, layout.SCALER)
    custom = {}
    for index in range(len(training.custom)):
        path = os.path.join(directory, layout.custom_file(index))
        if os.path.exists(path):
            custom[str(index)] = read(path)
    return {
        Part.MODEL: models or ABSENT,
        Part.OPTIMIZER: listed(layout.OPTIMIZER, training.optimizers) or ABSENT,
        Part.SCHEDULER: listed(layout.SCHEDULER, training.schedulers) or ABSENT,
        Part.SCALER: read(scaler) if os.path.exists(scaler) else ABSENT,
        **{name: states.get(key, ABSENT) for name, key in layout.RANDOM_KEYS.items()},
        Part.CUSTOM: custom or ABSENT,
    }


def unsaved(
    training: Training, captured: Neutral, values: dict[str, Any]
) -> dict[str, tuple[str, ...]]:
    """Component -> paths of captured leaves that are not in the files, or lie there otherwise.

    A name that shares its tensor with a stored name counts as stored: both can be had back.
    """
    missing: dict[str, tuple[str, ...]] = {}
    for name, leaves in captured.all_leaves().items():
        value = values.get(name, ABSENT)
        found: Leaves = {} if value is ABSENT else Neutral.of({name: value}).leaves(name)
        paths = [path for path, leaf in leaves.items() if found.get(path) != leaf]
        if name == Part.MODEL:
            paths = [path for path in paths if not _twin_stored(path, training, leaves, found)]
        if paths:
            missing[name] = tuple(paths)
    return missing


def _twin_stored(path: str, training: Training, leaves: Leaves, found: Leaves) -> bool:
    return any(
        found.get(twin) == leaves[path] for twin in _twins(training).get(path, ()) if twin != path
    )


def _twins(training: Training) -> dict[str, list[str]]:
    """Path of a model tensor -> paths of the tensors that are the very same memory."""
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for index, model in enumerate(training.models):
        for name, tensor in unwrap(model).state_dict(keep_vars=True).items():
            if isinstance(tensor, torch.Tensor) and tensor.numel():
                place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
                groups[place].append(f"/{index}/{name}")
    return {path: group for group in groups.values() if len(group) > 1 for path in group}


def tied(training: Training, keys: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Weight of the first model that the files leave out -> a stored one that is the same memory.

    Args:
        training: what was saved.
        keys: file -> names in it, as `describe` gives them.
    """
    weights = [names for path, names in keys.items() if layout.is_weights_of_first(path)]
    there = {name for names in weights for name in names}
    found = {}
    for path, twins in _twins(training).items():
        index, _, name = path.lstrip("/").partition("/")
        names = [twin.partition("/0/")[2] for twin in twins]
        owners = [twin for twin in names if twin in there]
        if index == "0" and name not in there and owners:
            found[name] = owners[0]
    return found


def describe(directory: str) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    """Files of a checkpoint: relative path -> size in bytes, and -> top-level keys."""
    sizes, keys = {}, {}
    for folder, _, names in os.walk(directory):
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, directory)
            sizes[relative] = os.path.getsize(path)
            keys[relative] = _keys(path)
    return sizes, {path: found for path, found in keys.items() if found}


def _keys(path: str) -> tuple[str, ...]:
    if path.endswith(".safetensors"):
        return tuple(sorted(read_weights(path))) if is_safetensors(path) else ("(a torch zip)",)
    if path.endswith((".bin", ".pkl", ".pt")):
        value = read(path)
        return tuple(map(str, value)) if isinstance(value, dict) else ()
    return ()


def is_safetensors(path: str) -> bool:
    """Whether a file of that name really is one."""
    # accelerate 0.21 and 0.22 wrote a torch zip under this name (save_model).
    with open(path, "rb") as file:
        return file.read(2) != b"PK"
