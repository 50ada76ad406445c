"""ZeRO-2 of a model with a buffer, saved by two processes, made universal, loaded by one."""

from __future__ import annotations

import torch

from ckptmatrix.worker.scenarios.basic import FEATURES
from ckptmatrix.worker.scenarios.ddp_2 import network
from ckptmatrix.worker.scenarios.zero_2_universal_to_1 import Zero2UniversalTo1


class Scale(torch.nn.Module):
    """Inputs multiplied by what is a buffer, the same in all processes."""

    scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.rand(FEATURES))
        torch.distributed.broadcast(self.scale, 0)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * self.scale


class Zero2UniversalBufferTo1(Zero2UniversalTo1):
    """Two processes write, DeepSpeed's converter makes it universal, one reads."""

    def model(self) -> torch.nn.Module:
        return torch.nn.Sequential(Scale(), *network())


scenario = Zero2UniversalBufferTo1
