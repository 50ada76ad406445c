"""Mixed precision in float16, with the gradient scaler it needs: `scaler.pt`; on a GPU only."""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training


class Fp16Scaler(Basic):
    """`Accelerator(mixed_precision="fp16")`."""

    def unsupported(self, device: str) -> str:
        if device == "cpu":
            return "accelerate makes a gradient scaler on a GPU only: it refuses fp16 on the CPU"
        return ""

    def accelerator(self, device: str) -> Any:
        return new_accelerator(device, mixed_precision="fp16")

    def verify(self, training: Training) -> None:
        scaler = getattr(training.accelerator, "scaler", None)
        if scaler is None or not scaler.is_enabled():
            raise RuntimeError("asked for a gradient scaler, got none")


scenario = Fp16Scaler
