"""Three optimizers, one for each part of a model: AdamW, SGD with momentum, one like Adafactor.

Their states hold tensors, numbers and `None`; their parameter groups differ in settings.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training


class Factored(torch.optim.Optimizer):
    """Adafactor's kind of state: averages of rows and columns, or a full one, numbers, `None`."""

    def __init__(self, parameters: Any, lr: float) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": None, "eps": (1e-30, 1e-3)})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, group["lr"], group["eps"][0])

    def _step(self, parameter: torch.Tensor, lr: float, eps: float) -> None:
        state, square = self.state[parameter], parameter.grad**2 + eps
        if not state:
            state.update(step=0, exp_avg=None, rms=0.0)
            state["row"] = torch.zeros_like(square.mean(-1)) if square.dim() > 1 else None
            state["column"] = torch.zeros_like(square.mean(0)) if square.dim() > 1 else None
            state["full"] = None if square.dim() > 1 else torch.zeros_like(square)
        state["step"] += 1
        state["rms"] = float(parameter.pow(2).mean().sqrt())
        if square.dim() > 1:
            state["row"].mul_(0.9).add_(0.1 * square.mean(-1))
            state["column"].mul_(0.9).add_(0.1 * square.mean(0))
            average = torch.outer(state["row"], state["column"]) / state["row"].mean()
        else:
            average = state["full"].mul_(0.9).add_(0.1 * square)
        scale = lr * max(1e-3, state["rms"])
        parameter.sub_(scale * parameter.grad / average.sqrt())


class Optimizers(Basic):
    """A model whose layers have optimizers of different kinds."""

    def optimizers(self, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        first, norm, *_, last = model
        decayed = [{"params": [first.weight]}, {"params": [first.bias], "weight_decay": 0.0}]
        return [
            torch.optim.AdamW(decayed, lr=0.01, amsgrad=True),
            torch.optim.SGD(norm.parameters(), lr=0.02, momentum=0.9, nesterov=True),
            Factored(last.parameters(), lr=0.05),
        ]

    def verify(self, training: Training) -> None:
        kinds = [type(optimizer.optimizer).__name__ for optimizer in training.optimizers]
        if kinds != ["AdamW", "SGD", "Factored"]:
            raise RuntimeError(f"asked for three kinds of optimizer, got {kinds}")


scenario = Optimizers
