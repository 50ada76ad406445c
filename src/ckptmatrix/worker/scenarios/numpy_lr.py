"""A learning rate that is a numpy scalar, as when it comes from `np.logspace` or a sweep.

It stays one in the optimizer's groups and in the scheduler, so their files name numpy's `scalar`,
which torch refuses when it reads with `weights_only=True`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ckptmatrix.worker.scenarios._numbers import PLAIN_COMPONENTS, plain
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training


class NumpyLr(Basic):
    """`Adam(lr=np.float64(0.01))`."""

    components = PLAIN_COMPONENTS

    def optimizers(self, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(model.parameters(), lr=np.float64(0.01))]

    def verify(self, training: Training) -> None:
        kind = type(training.optimizers[0].param_groups[0]["lr"])
        if kind is not np.float64:
            raise RuntimeError(f"asked for a numpy learning rate, got {kind}")

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        return {name: plain(value) for name, value in super().stored(training, directory).items()}


scenario = NumpyLr
