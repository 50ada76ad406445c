"""Gradient accumulation over 4, saved after 12 micro-batches: right after an optimizer step.

There are no gradients to lose, and whether `step` is 12 or 0 makes no difference to what follows.
What the scheduler counts does: up to 0.15.0 it steps with every micro-batch, then with every
optimizer step. So its position is judged in optimizer steps, as the release counts them.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from accelerate.scheduler import AcceleratedScheduler

from ckptmatrix.worker.components import Component, components_with
from ckptmatrix.worker.scenarios.accumulation import ROUND, Accumulation
from ckptmatrix.worker.stored import stored
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part


def counts_per_update(training: Training) -> int:
    """How often the scheduler steps for each optimizer step, by what wraps it."""
    kind = type(training.schedulers[0])
    aware = kind is AcceleratedScheduler and "sync_gradients" in inspect.getsource(kind.step)
    return 1 if aware else ROUND


def updates(training: Training, state: dict[str, Any]) -> dict[str, Any]:
    """A scheduler's state, its counts as this release understands them."""
    counts = counts_per_update(training)
    rest = {name: value for name, value in state.items() if name not in _COUNTS}
    return {**rest, **{name: (state[name] - first) / counts for name, first in _COUNTS.items()}}


_COUNTS = {"last_epoch": 0, "_step_count": 1}
"""What counts steps of the scheduler, and where it begins."""


class Updates(Component):
    """The scheduler's state, its position in optimizer steps."""

    name = Part.SCHEDULER.value

    def capture(self, training: Training) -> Any:
        return updates(training, training.schedulers[0].state_dict())

    def inject(self, training: Training, value: Any) -> None:
        scale = counts_per_update(training)
        counts = {name: int(value[name] * scale) + first for name, first in _COUNTS.items()}
        scheduler = training.schedulers[0]
        scheduler.load_state_dict({**scheduler.state_dict(), **value, **counts})


class AccumulationAligned(Accumulation):
    """`with accelerator.accumulate(model)`, saved between two rounds."""

    components = components_with(Updates())
    passes = 2

    def schedulers(self, optimizers: list[torch.optim.Optimizer]) -> list[Any]:
        return [torch.optim.lr_scheduler.LambdaLR(optimizers[0], lambda count: 0.9**count)]

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        found = stored(training, directory)
        states = found[Part.SCHEDULER]
        own = updates(training, states["0"]) if "0" in states else states
        return {**found, Part.SCHEDULER: own}


scenario = AccumulationAligned
