"""FSDP2 in two processes in mixed precision of float16, with its gradient scaler: `scaler.pt`.

`load_state` makes the optimizer's state by a step of its own before it fills it in, for which the
scaler has to be loaded first. On two GPUs as it is. On the CPU accelerate shards and computes in
float16 as on a GPU, and leaves out the scaler alone; there it is made as accelerate makes it.
"""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.lifting import LIFTED_SCALER, lift_scaler
from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.scenarios.fsdp_2_v2 import Fsdp2V2
from ckptmatrix.worker.training import Training


class Fsdp2V2Fp16Scaler(Fsdp2V2):
    """`Accelerator(mixed_precision="fp16")` under FSDP2."""

    def note(self, device: str) -> str:
        return LIFTED_SCALER if device == "cpu" else ""

    def accelerator_with(self, device: str, plugin: Any) -> Any:
        accelerator = new_accelerator(device, fsdp_plugin=plugin, mixed_precision="fp16")
        if device == "cpu":
            lift_scaler(accelerator)
        return accelerator

    def verify(self, training: Training) -> None:
        super().verify(training)
        scaler = getattr(training.accelerator, "scaler", None)
        if scaler is None or not scaler.is_enabled():
            raise RuntimeError("asked for a gradient scaler, got none")


scenario = Fsdp2V2Fp16Scaler
