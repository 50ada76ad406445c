"""What is recorded of a script's step, without a word of it: samples, loss, rates, draws.

Nothing is drawn for it, so a script that is watched draws what it draws elsewhere.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from ckptmatrix.worker.measured import Step
from ckptmatrix.worker.words import Part

_DIGITS = 8


class Batch(NamedTuple):
    """What a dataloader gave."""

    content: Any
    """Whatever the collator made."""
    indices: Any
    """Indices of its samples in the dataset; None if they are not known."""


def step_of(accelerator: Any, batches: Iterable[Batch], loss: Any) -> Step:
    """One call of `accelerator.backward`, in the order in which a difference is named.

    Args:
        accelerator: the script's.
        batches: what each of its dataloaders gave last.
        loss: what it goes backward from.
    """
    return {
        "samples": [sample for batch in batches for sample in samples_of(batch)],
        "loss": float(loss.detach().double().sum()).hex(),
        "lr": [
            float(group["lr"]).hex()
            for optimizer in accelerator._optimizers
            for group in optimizer.param_groups
        ],
        "synced": bool(getattr(accelerator, "sync_gradients", True)),
        Part.PYTHON_RANDOM.value: _digest(repr(random.getstate()).encode()),
        Part.NUMPY_RANDOM.value: _digest(*map(_bytes, np.random.get_state())),
        Part.TORCH_RANDOM.value: _number(_bytes(torch.get_rng_state())),
    }


def samples_of(batch: Batch) -> list[Any]:
    """The samples of a batch: their indices, or where these are not known something of each.

    That is a fingerprint of what in it is no float, the same in every environment; where all of it
    is, a number that stands for the floats, and is compared within an environment alone.
    """
    parts = list(_parts(batch.content))
    rows = [part for part in parts if _is_rows(part)]
    counts = {len(part) for part in rows}
    if len(counts) != 1:
        return [_number(*map(_bytes, parts))]
    count = counts.pop()
    if batch.indices is not None and len(batch.indices) == count:
        return [int(index) if isinstance(index, int) else str(index) for index in batch.indices]
    plain = [part for part in rows if not _is_float(part)]
    if plain:
        return [_digest(*(_bytes(part[index]) for part in plain)) for index in range(count)]
    return [_number(*(_bytes(part[index]) for part in rows)) for index in range(count)]


def _is_float(part: Any) -> bool:
    if isinstance(part, torch.Tensor):
        return bool(part.is_floating_point() or part.is_complex())
    if isinstance(part, np.ndarray):
        return part.dtype.kind in "fc"
    return any(isinstance(item, float) for item in part)


def _parts(value: Any) -> Iterator[Any]:
    """Tensors, arrays, lists of plain values and plain values in whatever a collator made."""
    if isinstance(value, dict) or hasattr(value, "items"):
        for item in value.values():
            yield from _parts(item)
    elif isinstance(value, (list, tuple)) and not _is_rows(value):
        for item in value:
            yield from _parts(item)
    elif value is not None:
        yield value


def _is_rows(part: Any) -> bool:
    """Whether it has an entry for each sample."""
    if isinstance(part, (list, tuple)):
        return bool(part) and all(isinstance(item, (str, int, float, bytes)) for item in part)
    return getattr(part, "ndim", 0) > 0


def _bytes(part: Any) -> bytes:
    if isinstance(part, torch.Tensor):
        flat = part.detach().cpu().contiguous().reshape(-1)
        return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()


def _number(*parts: bytes) -> str:
    """The same as a hexadecimal float: what hangs on torch's arithmetic is recorded so."""
    return float(int(_digest(*parts), 16)).hex()


def _digest(*parts: bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()[:_DIGITS]
