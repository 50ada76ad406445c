"""Weights as `pytorch_model.bin`, which newer releases write only when asked to."""

from __future__ import annotations

import os

from ckptmatrix.worker.release import accepts
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training


class BinWeights(Basic):
    """`save_state(directory, safe_serialization=False)`, from 0.25.0 on."""

    def unsupported(self, device: str) -> str:
        if not accepts("save_state", "safe_serialization"):
            return "save_state has no safe_serialization: it writes .bin anyway, see `basic`"
        return ""

    def unsupported_reader(self, device: str) -> str:
        return ""

    def save(self, training: Training, parent: str) -> str:
        directory = os.path.join(parent, "checkpoint")
        training.accelerator.save_state(directory, safe_serialization=False)
        if not os.path.exists(os.path.join(directory, "pytorch_model.bin")):
            raise RuntimeError(f"asked for .bin weights, got {sorted(os.listdir(directory))}")
        return directory


scenario = BinWeights
