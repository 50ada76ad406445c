"""A LambdaLR whose function keeps a numpy number, as one that was made from a numpy schedule.

`scheduler.bin` then names numpy's `scalar`, which torch refuses when it reads with
`weights_only=True`: its own default from 2.6 on, and accelerate's from 1.1.0 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ckptmatrix.worker.scenarios._numbers import PLAIN_COMPONENTS, plain
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training


class Decay:
    """A LambdaLR's function with a numpy number."""

    def __init__(self) -> None:
        self.rate = np.float64(0.05 + 0.01 * torch.rand(()).item())

    def __call__(self, epoch: int) -> float:
        return float(1 / (1 + self.rate * epoch))


class SchedulerNumpy(Basic):
    """A scheduler with an `np.float64` in its state."""

    components = PLAIN_COMPONENTS

    def schedulers(self, optimizers: list[torch.optim.Optimizer]) -> list[Any]:
        return [torch.optim.lr_scheduler.LambdaLR(optimizers[0], Decay())]

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        return {name: plain(value) for name, value in super().stored(training, directory).items()}


scenario = SchedulerNumpy
