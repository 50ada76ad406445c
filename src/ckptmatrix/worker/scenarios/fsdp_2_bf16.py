"""FSDP1, gathered: all tensors of weights and optimizer are bfloat16."""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2
from ckptmatrix.worker.training import Training


class Fsdp2Bf16(Fsdp2):
    """Pure bfloat16, without a copy in float32; the loss of it in float32, as torch 2.4 needs."""

    dtype = torch.bfloat16

    def loss(self, training: Training, batch: Any) -> torch.Tensor:
        _, inputs, targets = batch
        found = training.models[0](inputs.to(self.dtype))
        return torch.nn.functional.mse_loss(found.float(), targets)


scenario = Fsdp2Bf16
