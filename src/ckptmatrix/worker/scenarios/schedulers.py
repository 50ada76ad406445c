"""Five kinds of scheduler, one for each of five optimizers over the parts of one model.

OneCycleLR also steers the momentum, ReduceLROnPlateau steps with the loss, SequentialLR holds
further schedulers, LambdaLR has an object for a function, CosineAnnealingWarmRestarts restarts.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import lr_scheduler

from ckptmatrix.worker.scenarios.basic import FEATURES, Basic
from ckptmatrix.worker.training import Training, record


class Ramp:
    """A LambdaLR's function with state of its own, which the scheduler saves."""

    def __init__(self) -> None:
        self.peak = float(torch.rand(()))

    def __call__(self, epoch: int) -> float:
        self.peak = min(1.0, self.peak + 0.01)
        return self.peak / (1 + 0.1 * epoch)


class Schedulers(Basic):
    """A model of five layers, each with an optimizer and a scheduler of its own."""

    def model(self) -> torch.nn.Module:
        wide = [torch.nn.Linear(FEATURES, FEATURES) for _ in range(4)]
        return torch.nn.Sequential(*wide, torch.nn.Linear(FEATURES, 1))

    def optimizers(self, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(layer.parameters(), lr=0.05, momentum=0.8) for layer in model]

    def schedulers(self, optimizers: list[torch.optim.Optimizer]) -> list[Any]:
        cycle, plateau, sequence, ramp, cosine = optimizers
        warm = lr_scheduler.LinearLR(sequence, start_factor=0.5, total_iters=4)
        fall = lr_scheduler.ExponentialLR(sequence, gamma=0.9)
        return [
            lr_scheduler.OneCycleLR(cycle, max_lr=0.1, total_steps=40),
            lr_scheduler.ReduceLROnPlateau(plateau, factor=0.7, patience=0),
            lr_scheduler.SequentialLR(sequence, [warm, fall], milestones=[4]),
            lr_scheduler.LambdaLR(ramp, Ramp()),
            lr_scheduler.CosineAnnealingWarmRestarts(cosine, T_0=5),
        ]

    def verify(self, training: Training) -> None:
        if len(training.schedulers) != 5:
            raise RuntimeError(f"asked for five schedulers, got {len(training.schedulers)}")

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        loss = self.loss(training, batch)
        training.accelerator.backward(loss)
        for optimizer in training.optimizers:
            optimizer.step()
        for index, scheduler in enumerate(training.schedulers):
            if index == 1:
                scheduler.step(loss.item())
            else:
                scheduler.step()
        for optimizer in training.optimizers:
            optimizer.zero_grad()
        training.custom[0].update(loss.item())
        return record(training, loss, batch[0])


scenario = Schedulers
