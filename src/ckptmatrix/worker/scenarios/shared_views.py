"""Parameters that are views of one storage, and one that is not contiguous.

Scripts that pack parameters for speed have them. From 0.25.0 on a save keeps only the first of the
views in `model.safetensors`, with a warning; the others are not in the checkpoint.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.scenarios.basic import FEATURES, Basic
from ckptmatrix.worker.training import Training

HIDDEN = 8


class Packed(torch.nn.Module):
    """A layer's weight and bias in one block of memory, and a transposed weight.

    They lie on the device from the start: a model that is moved there has a block for each.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        block = (torch.randn(HIDDEN * FEATURES + HIDDEN) / 4).to(device)
        self.weight = torch.nn.Parameter(block[: HIDDEN * FEATURES].view(HIDDEN, FEATURES))
        self.bias = torch.nn.Parameter(block[HIDDEN * FEATURES :])
        self.mixing = torch.nn.Parameter((torch.randn(HIDDEN + 1, HIDDEN) / 4).to(device).t())
        self.drop = torch.nn.Dropout(0.25)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(torch.nn.functional.linear(inputs, self.weight, self.bias))
        return (self.drop(hidden) @ self.mixing).mean(1, keepdim=True)


class SharedViews(Basic):
    """A model with two parameters in one storage."""

    def accelerator(self, device: str) -> Any:
        made = super().accelerator(device)
        self.device = made.device
        return made

    def model(self) -> torch.nn.Module:
        return Packed(self.device)

    def verify(self, training: Training) -> None:
        model = unwrap(training.models[0])
        size = model.weight.nelement() * model.weight.element_size()  # torch 2.0 has no `nbytes`
        shared = model.weight.data_ptr() + size == model.bias.data_ptr()
        if not shared or model.mixing.is_contiguous():
            raise RuntimeError("asked for views of one storage and a transposed weight")


scenario = SharedViews
