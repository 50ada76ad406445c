"""Written where there was a GPU: the checkpoint carries the states of its generators.

Without a GPU the file is given what a GPU run leaves in it, at the place and in the form that it
has there, to be read by releases that find no GPU. With a GPU nothing is made up: what this torch
does not write there is not written.
"""

from __future__ import annotations

import os
import struct

import torch

from ckptmatrix.worker import stored
from ckptmatrix.worker.layout import RANDOM_KEYS, random_file
from ckptmatrix.worker.release import gpus, torch_release
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part

_KEY = RANDOM_KEYS[Part.CUDA_RANDOM]


class GpuWritten(Basic):
    """One GPU's state, as torch 2.1 and later save it."""

    gpus = 1
    """How many GPUs the writer saw."""
    size = 16
    """Bytes of one state: 16; up to torch 2.0 816, of which the first 800 mean nothing."""

    def unsupported(self, device: str) -> str:
        if device == "cpu":
            return ""
        if gpus() != self.gpus:
            return f"it is about {self.gpus} visible GPU(s), here are {gpus()}"
        own = 16 if torch_release() >= (2, 1) else 816
        if own != self.size:
            return f"this torch saves {own} bytes for each GPU, it is about {self.size}"
        return ""

    def save(self, training: Training, parent: str) -> str:
        directory = super().save(training, parent)
        if training.device == "cpu":
            path = os.path.join(directory, random_file(0))
            states = stored.read(path)
            # Releases that save the key on the CPU have it, empty, just where it belongs; the
            # others would write it last, and so it is here.
            states[_KEY] = [_state(self.size, seed=11 + gpu, offset=4) for gpu in range(self.gpus)]
            torch.save(states, path)
        return directory


def _state(size: int, seed: int, offset: int) -> torch.Tensor:
    """State of a CUDA generator: seed and offset, after bytes that torch 2.0 filled with -1."""
    numbers = struct.pack("<Qq", seed, offset)
    padding = b"\xff" * (size - len(numbers))
    return torch.tensor(list(padding + numbers), dtype=torch.uint8)


scenario = GpuWritten
