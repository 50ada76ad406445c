"""Two models, each with an optimizer and a scheduler of its own: `model_1`, `optimizer_1`, ..."""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.scenarios.basic import FEATURES, Basic, network
from ckptmatrix.worker.training import Training


class TwoModels(Basic):
    """A model and another one that learns to correct it."""

    def build(self, device: str) -> Training:
        accelerator = self.accelerator(device)
        models = [network(), torch.nn.Linear(FEATURES, 1)]
        optimizers = [
            torch.optim.Adam(models[0].parameters(), lr=0.01),
            torch.optim.SGD(models[1].parameters(), lr=0.02, momentum=0.9),
        ]
        schedulers = [
            torch.optim.lr_scheduler.StepLR(optimizers[0], step_size=4, gamma=0.9),
            torch.optim.lr_scheduler.ExponentialLR(optimizers[1], gamma=0.95),
        ]
        loader = self.dataloader()
        m0, m1, o0, o1, loader, s0, s1 = accelerator.prepare(
            *models, *optimizers, loader, *schedulers
        )
        custom = self.custom()
        accelerator.register_for_checkpointing(*custom)
        return Training(accelerator, [m0, m1], [o0, o1], [s0, s1], [loader], custom)

    def loss(self, training: Training, batch: Any) -> torch.Tensor:
        _, inputs, targets = batch
        first, second = training.models
        return torch.nn.functional.mse_loss(first(inputs) + second(inputs), targets)


scenario = TwoModels
