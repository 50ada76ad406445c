"""Change one component of a saved checkpoint, to see whether the judge notices exactly that.

Works on a copy that the caller made, of a checkpoint that this project's own writers saved.
"""

from __future__ import annotations

import os
from typing import Any, Callable

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ckptmatrix.worker.stored import read


def alter(directory: str, component: str) -> bool:
    """Change one value of one component in the files.

    Returns:
        Whether there was anything of this component to change.
    """
    for name, change in _CHANGES.get(component, ()):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            change(path)
            return True
    return False


def flip_bit(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with the lowest bit of its middle byte flipped."""
    raw = tensor.detach().clone().contiguous()
    flat = raw.reshape(-1).view(torch.uint8)
    flat[flat.numel() // 2] ^= 1
    return raw


def _in_pickle(*path: Any, change: Callable[[Any], Any]) -> Callable[[str], None]:
    """Rewrites a pickled file with the value at `path` changed; `...` stands for the first key."""

    def rewrite(file: str) -> None:
        torch.save(_replaced(read(file), path, change), file)

    return rewrite


def _replaced(value: Any, path: tuple, change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    key = next(iter(value)) if path[0] is ... else path[0]
    if isinstance(value, dict):
        return {**value, key: _replaced(value[key], path[1:], change)}
    items = list(value)
    items[key] = _replaced(items[key], path[1:], change)
    return type(value)(items)


def _in_safetensors(file: str) -> None:
    tensors = load_file(file)
    name = sorted(tensors)[0]
    tensors[name] = flip_bit(tensors[name])
    save_file(tensors, file, metadata={"format": "pt"})


def _bump(value: int) -> int:
    return value + 1


def _flip_number(array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed[len(changed) // 2] ^= 1
    return changed


_RANDOM = "random_states_0.pkl"
_CHANGES: dict[str, tuple[tuple[str, Callable[[str], None]], ...]] = {
    "model": (
        ("model.safetensors", _in_safetensors),
        ("pytorch_model.bin", _in_pickle(..., change=flip_bit)),
    ),
    "optimizer": (("optimizer.bin", _in_pickle("state", ..., "exp_avg", change=flip_bit)),),
    "scheduler": (("scheduler.bin", _in_pickle("last_epoch", change=_bump)),),
    "rng.python": ((_RANDOM, _in_pickle("random_state", 1, 300, change=lambda v: v ^ 1)),),
    "rng.numpy": ((_RANDOM, _in_pickle("numpy_random_seed", 1, change=_flip_number)),),
    "rng.torch": ((_RANDOM, _in_pickle("torch_manual_seed", change=flip_bit)),),
    "step": ((_RANDOM, _in_pickle("step", change=_bump)),),
    "custom": (("custom_checkpoint_0.pkl", _in_pickle("mean", change=flip_bit)),),
}
