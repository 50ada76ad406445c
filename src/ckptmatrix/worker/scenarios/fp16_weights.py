"""A model whose weights themselves are float16.

Up to 0.21.0 a save turned them into float32 (huggingface/accelerate#1868), twice the size; nothing
is lost by that, and every reader turns them back.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.scenarios.basic import FEATURES, Basic
from ckptmatrix.worker.stored import stored
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part


class Fp16Weights(Basic):
    """A network in half precision, trained by plain SGD."""

    def model(self) -> torch.nn.Module:
        layers = torch.nn.Linear(FEATURES, 8), torch.nn.Tanh(), torch.nn.Dropout(0.25)
        return torch.nn.Sequential(*layers, torch.nn.Linear(8, 1)).half()

    def optimizers(self, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)]

    def loss(self, training: Training, batch: Any) -> torch.Tensor:
        _, inputs, targets = batch
        found = training.models[0](inputs.half())
        return torch.nn.functional.mse_loss(found.float(), targets)

    def verify(self, training: Training) -> None:
        kinds = {parameter.dtype for parameter in training.models[0].parameters()}
        if kinds != {torch.float16}:
            raise RuntimeError(f"asked for float16 weights, got {kinds}")

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        found = stored(training, directory)
        # Every float16 is a float32 too: what was widened can be had back, so it counts as stored.
        narrowed = {name: value.half() for name, value in found[Part.MODEL]["0"].items()}
        return {**found, Part.MODEL: {"0": narrowed}}


scenario = Fp16Weights
