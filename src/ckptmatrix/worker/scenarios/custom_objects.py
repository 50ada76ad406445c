"""Three registered objects: tensors, numpy arrays, plain Python.

`custom_checkpoint_1.pkl` names numpy's functions, which torch refuses with `weights_only=True`, its
default from 2.6 on. accelerate asks for `weights_only=False` here from 1.1.0 on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ckptmatrix.worker.scenarios.basic import Basic, Counter


class Tensors(Counter):
    """Tensors in a nested structure, one of them bfloat16, one empty."""

    def __init__(self) -> None:
        super().__init__()
        self.nested = {
            "bfloat16": torch.rand(3).bfloat16(),
            "none": torch.empty(0),
            "deep": [torch.rand(2)],
        }

    def update(self, loss: float) -> None:
        super().update(loss)
        self.nested["bfloat16"] = 0.9 * self.nested["bfloat16"] + loss
        self.nested["deep"] = [self.nested["deep"][0] + loss]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "nested": dict(self.nested)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.nested = dict(state["nested"])


class Arrays:
    """A running histogram in numpy, with a numpy number."""

    def __init__(self) -> None:
        self.counts = np.random.randint(0, 9, 5)
        self.total = np.float64(0.0)

    def update(self, loss: float) -> None:
        self.counts[int(loss * 7) % 5] += 1
        self.total += np.float64(loss)

    def state_dict(self) -> dict[str, Any]:
        return {"counts": self.counts.copy(), "total": self.total}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.counts, self.total = state["counts"].copy(), state["total"]


class Plain:
    """Plain Python of many kinds."""

    def __init__(self) -> None:
        self.best: float | None = None
        self.log: list[tuple[int, str]] = []
        self.settings = {"name": "plain", 3: b"bytes", "flag": True, "nothing": None}

    def update(self, loss: float) -> None:
        self.best = loss if self.best is None else min(self.best, loss)
        self.log.append((len(self.log), f"{loss:.3f}"))

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "log": list(self.log), "settings": dict(self.settings)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.best, self.log, self.settings = state["best"], state["log"], state["settings"]


class CustomObjects(Basic):
    """`register_for_checkpointing` with three objects."""

    def custom(self) -> list[Any]:
        return [Tensors(), Arrays(), Plain()]


scenario = CustomObjects
