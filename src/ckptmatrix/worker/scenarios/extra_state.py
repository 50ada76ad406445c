"""A module with `get_extra_state` that returns a dict, as PyTorch's documentation describes it.

Safetensors holds nothing but tensors, so from 0.25.0 on `save_state` itself raises; up to 0.18.0 it
did as well, since it looked at the dtype of every entry. Between them it is saved and comes back.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.scenarios.basic import Basic, network
from ckptmatrix.worker.training import Training


class Normalised(torch.nn.Module):
    """Scales its inputs by the largest value seen, and counts what it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.largest, self.seen = float(torch.rand(())), 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.largest = max(self.largest, float(inputs.abs().max()))
            self.seen += len(inputs)
        return inputs / self.largest

    def get_extra_state(self) -> dict[str, Any]:
        return {"largest": self.largest, "seen": self.seen}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.largest, self.seen = state["largest"], state["seen"]


class ExtraState(Basic):
    """A model one of whose modules keeps state that is no tensor."""

    def model(self) -> torch.nn.Module:
        return torch.nn.Sequential(Normalised(), network())

    def verify(self, training: Training) -> None:
        if "0._extra_state" not in unwrap(training.models[0]).state_dict():
            raise RuntimeError("asked for extra state, got none")


scenario = ExtraState
