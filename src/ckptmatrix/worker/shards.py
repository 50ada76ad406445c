"""Files of torch's distributed checkpoint as data: `__0_0.distcp` and the `.metadata` beside them.

A shard is a row of `torch.save` archives, one for each piece of a tensor and for each plain value;
`.metadata` tells where each begins. Only ever pointed at files of this project's own writers, so
unpickling them is safe.
"""

from __future__ import annotations

import io
import os
import pickle
import tempfile
from typing import Any

import torch

from ckptmatrix.worker import stored

SHARD = ".distcp"
"""How the names of shards end."""


def whole(directory: str) -> Any:
    """What all shards of a folder hold together, pieces put together to tensors."""
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save  # torch 2.3 and newer

    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "whole")
        dcp_to_torch_save(directory, path)
        return stored.read(path)


def pieces(path: str) -> dict[str, Any]:
    """What one shard holds: name and offset of a piece, `model.0.weight[4, 0]` -> value."""
    with open(path, "rb") as file:
        content = file.read()
    return {
        name: stored.read(io.BytesIO(content[begin:end]))
        for name, (begin, end) in _places(path).items()
    }


def store(values: dict[str, Any], path: str) -> None:
    """Write pieces back in their places; where one is left out, nothing that can be read is.

    Raises:
        ValueError: a piece does not fit into its place.
    """
    with open(path, "r+b") as file:
        content = bytearray(file.read())
        for name, (begin, end) in _places(path).items():
            archive = io.BytesIO()
            if name in values:
                torch.save(values[name], archive)
            written = archive.getvalue() or bytes(end - begin)
            if len(written) != end - begin:
                raise ValueError(f"{name} does not fit into its place in {path}")
            content[begin:end] = written
        file.seek(0)
        file.write(content)


def _places(path: str) -> dict[str, tuple[int, int]]:
    """Name of a piece -> where it begins and ends in its shard."""
    folder, own = os.path.split(path)
    with open(os.path.join(folder, ".metadata"), "rb") as file:
        known = pickle.load(file).storage_data
    return {
        f"{index.fqn}{list(index.offset) if index.offset else ''}": (
            info.offset,
            info.offset + info.length,
        )
        for index, info in known.items()
        if info.relative_path == own
    }
