"""Mixed precision in bfloat16: autocast around the forward pass, weights in float32, no scaler."""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.scenarios.basic import FEATURES, Basic
from ckptmatrix.worker.training import Training


class Bf16(Basic):
    """`Accelerator(mixed_precision="bf16")`."""

    def accelerator(self, device: str) -> Any:
        return new_accelerator(device, mixed_precision="bf16")

    def verify(self, training: Training) -> None:
        seen: list[torch.dtype] = []
        model = training.models[0]
        hook = unwrap(model)[0].register_forward_hook(lambda m, i, out: seen.append(out.dtype))
        model.eval()  # neither dropout nor the statistics of the batch norm
        with torch.no_grad():
            model(torch.zeros(1, FEATURES, device=training.accelerator.device))
        model.train()
        hook.remove()
        if seen != [torch.bfloat16]:
            raise RuntimeError(f"asked for autocast to bfloat16, got {seen}")


scenario = Bf16
