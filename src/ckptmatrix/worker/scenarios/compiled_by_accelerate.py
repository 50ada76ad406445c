"""Compiled by accelerate in `prepare`: `dynamo_backend="eager"`.

accelerate saves and loads the model that it was given, so the names in the file stay plain.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.release import accepts, new_accelerator
from ckptmatrix.worker.scenarios.compiled import Compiled, is_compiled, small_network
from ckptmatrix.worker.training import Training


class CompiledByAccelerate(Compiled):
    """`Accelerator(dynamo_backend="eager")`, in the writer and in the reader."""

    def unsupported(self, device: str) -> str:
        if not accepts("__init__", "dynamo_backend"):
            return "its Accelerator has no dynamo_backend"
        return ""

    def accelerator(self, device: str) -> Any:
        more = {"dynamo_backend": "eager"} if self.compiles else {}
        return new_accelerator(device, **more)

    def model(self) -> torch.nn.Module:
        return small_network()

    def verify(self, training: Training) -> None:
        if is_compiled(training.models[0]) != self.compiles:
            raise RuntimeError(f"asked for compiled={self.compiles}, got the contrary")


scenario = CompiledByAccelerate
