"""bitsandbytes' Adam: averages of large weights are 8-bit codes, of small ones 32-bit numbers.

Its state dict hides the codes and their tables under a key of its own. It trains on the CPU by
itself; what it would compile there (g++, in each process anew) it computes without.
"""

from __future__ import annotations

import importlib
import os
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import torch

from ckptmatrix.worker.composites import is_composite, take_apart
from ckptmatrix.worker.scenarios.basic import FEATURES, Basic
from ckptmatrix.worker.training import Training

_WIDTH = 64
"""Its square is 4096: the least number of elements whose averages both packages keep in 8 bits."""


def before_forks(module: str) -> None:
    """Import what takes seconds in a worker on the CPU, whose children would all spend them."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        with suppress(ImportError):
            importlib.import_module(module)


class EightBit(Basic):
    """A model with one weight large enough, and small ones."""

    package = ""
    """That the optimizer is of."""
    optimizer = ""
    """Its class, `module:name`."""

    def unsupported(self, device: str) -> str:
        if find_spec(self.package) is None:
            return f"this stack has no {self.package} (those of tier eight-bit have)"
        return ""

    def build(self, device: str) -> Training:
        if device == "cpu":
            _compile_nothing()
        return super().build(device)

    def model(self) -> torch.nn.Module:
        return torch.nn.Sequential(
            torch.nn.Linear(FEATURES, _WIDTH),
            torch.nn.BatchNorm1d(_WIDTH),
            torch.nn.Tanh(),
            torch.nn.Dropout(0.25),
            torch.nn.Linear(_WIDTH, _WIDTH),
            torch.nn.Tanh(),
            torch.nn.Linear(_WIDTH, 1),
        )

    def kind(self) -> Any:
        """The optimizer's class."""
        module, _, name = self.optimizer.partition(":")
        return getattr(importlib.import_module(module), name)

    def optimizers(self, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        return [self.kind()(model.parameters(), lr=0.01)]

    def verify(self, training: Training) -> None:
        got = type(training.optimizers[0].optimizer)
        if got is not self.kind():
            raise RuntimeError(f"asked for {self.optimizer}, got {got}")

    def before(self, training: Training) -> None:
        super().before(training)
        optimizer = training.optimizers[0].optimizer
        codes = [_codes(slots) for slots in optimizer.state.values()]
        large = [p.numel() >= _WIDTH**2 for p in training.models[0].parameters()]
        if [bool(number) for number in codes] != large:
            raise RuntimeError(f"asked for 8-bit averages of {large}, got {codes} codes")


def _compile_nothing() -> None:
    """In this process: bitsandbytes asks for it as it is imported, torchao in each step."""
    config: Any = importlib.import_module("torch._dynamo.config")
    config.disable = True
    os.environ["TORCHDYNAMO_DISABLE"] = "1"


def _codes(slots: dict[str, Any]) -> int:
    """How many elements of a parameter's state are kept in 8 bits."""
    values = [
        part
        for value in slots.values()
        for part in (take_apart(value).attributes.values() if is_composite(value) else [value])
    ]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    return sum(tensor.numel() for tensor in tensors if tensor.dtype is torch.uint8)


class Adam8bit(EightBit):
    """`bitsandbytes.optim.Adam8bit`."""

    package = "bitsandbytes"
    optimizer = "bitsandbytes.optim:Adam8bit"


before_forks(Adam8bit.package)

scenario = Adam8bit
