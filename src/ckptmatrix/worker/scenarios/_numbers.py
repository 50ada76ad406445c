"""Components for which a number is a number: `np.float64(0.1)` and `0.1` are the same state.

Which of the two types an optimizer or a scheduler holds makes no difference to the training; their
bits do. A repaired checkpoint has plain numbers, since torch refuses numpy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ckptmatrix.worker.components import COMPONENTS, Component, Optimizer, Scheduler
from ckptmatrix.worker.training import Training


def plain(value: Any) -> Any:
    """The same value with plain numbers for numpy's scalars."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value


class PlainOptimizer(Optimizer):
    """State and parameter groups of every optimizer."""

    def capture(self, training: Training) -> Any:
        return plain(super().capture(training))


class PlainScheduler(Scheduler):
    """State of every scheduler."""

    def capture(self, training: Training) -> Any:
        return plain(super().capture(training))


_PLAIN: dict[str, Component] = {part.name: part for part in (PlainOptimizer(), PlainScheduler())}

PLAIN_COMPONENTS = tuple(_PLAIN.get(part.name, part) for part in COMPONENTS)
"""`COMPONENTS` with plain numbers in the optimizer and the scheduler."""
