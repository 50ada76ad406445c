"""The user's own `torch.compile` before `prepare`: every name in the file begins with `_orig_mod.`.

The backend is `eager`, which only traces, so nothing but the wrapping is at stake.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.scenarios.basic import BATCH, FEATURES, Basic
from ckptmatrix.worker.stored import stored
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part

PREFIX = "_orig_mod."


def is_compiled(model: torch.nn.Module) -> bool:
    """Whether torch.compile is around it."""
    return hasattr(model, "_orig_mod")


def small_network() -> torch.nn.Module:
    """Without dropout and batch norm: it is traced anew in every cell."""
    return torch.nn.Sequential(torch.nn.Linear(FEATURES, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


class Compiled(Basic):
    """`torch.compile(model)`, in the writer and in the reader."""

    compiled = (True, True)
    """Whether the writer compiles its model, and whether the reader does."""

    def __init__(self) -> None:
        self.compiles = self.compiled[0]

    def exercise(self, reads: bool) -> None:
        if self.compiled[reads]:
            model = torch.compile(small_network(), backend="eager")
            model(torch.zeros(BATCH, FEATURES)).sum().backward()
            torch.compiler.reset()

    def build_reader(self, device: str) -> Training:
        self.compiles = self.compiled[1]
        return self.build(device)

    def model(self) -> torch.nn.Module:
        model = small_network()
        return torch.compile(model, backend="eager") if self.compiles else model

    def verify(self, training: Training) -> None:
        if is_compiled(training.accelerator._models[0]) != self.compiles:
            raise RuntimeError(f"asked for compiled={self.compiles}, got the contrary")

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        found = stored(training, directory)
        weights = {name.replace(PREFIX, "", 1): v for name, v in found[Part.MODEL]["0"].items()}
        return {**found, Part.MODEL: {"0": weights}}


scenario = Compiled
