"""Saved in full precision, resumed in float16: the checkpoint has no `scaler.pt`. On a GPU only."""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.scenarios.fp16_scaler import Fp16Scaler
from ckptmatrix.worker.training import Training


class Fp16ScalerAdded(Fp16Scaler):
    """The reader's script has `mixed_precision="fp16"`, the writer's had not."""

    precisions = ("no", "fp16")
    """Of the writer and of the reader."""

    def __init__(self) -> None:
        self.precision = self.precisions[0]

    def build_reader(self, device: str) -> Training:
        self.precision = self.precisions[1]
        return self.build(device)

    def accelerator(self, device: str) -> Any:
        return new_accelerator(device, mixed_precision=self.precision)

    def verify(self, training: Training) -> None:
        if self.precision == "fp16":
            super().verify(training)


scenario = Fp16ScalerAdded
