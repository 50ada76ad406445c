"""A buffer that is a part of a larger storage, such as a slice of a table made once.

Saved without trouble. Readers from 0.33.0 on load safetensors through `safetensors.torch`, which
finds no name for the whole storage and refuses.
"""

from __future__ import annotations

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.scenarios.basic import FEATURES, Basic, network
from ckptmatrix.worker.training import Training


class Sliced(torch.nn.Module):
    """A network whose inputs are shifted by a running mean, kept in the second half of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.register_buffer("shift", torch.rand(2 * FEATURES)[FEATURES:])

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.shift.mul_(0.9).add_(0.1 * inputs.mean(0))
        return self.network(inputs - self.shift)


class PartialView(Basic):
    """A model with a buffer that is a view."""

    def model(self) -> torch.nn.Module:
        return Sliced()

    def verify(self, training: Training) -> None:
        shift = unwrap(training.models[0]).shift
        if training.device == "cpu" and not shift.storage_offset():
            raise RuntimeError("asked for a view, got a storage of its own")


scenario = PartialView
