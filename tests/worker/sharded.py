"""Training that torch shards on the CPU, past accelerate, to try what captures sharded state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.scenarios.basic import BATCH, Samples
from ckptmatrix.worker.scenarios.ddp_2 import network
from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2
from ckptmatrix.worker.training import Training


class OnTheCpu1(Fsdp2):
    """FSDP1."""

    def build(self, device: str) -> Training:
        accelerator = new_accelerator(device)
        model = self.sharded(network())
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        loader = accelerator.prepare(torch.utils.data.DataLoader(Samples(), batch_size=BATCH))
        return Training(accelerator, [model], [optimizer], [], [loader])

    def sharded(self, model: torch.nn.Module) -> Any:
        from torch.distributed.fsdp import FullyShardedDataParallel

        return FullyShardedDataParallel(model, device_id=torch.device("cpu"))

    def save(self, training: Training, parent: str) -> str:
        directory = Path(parent) / "checkpoint"
        directory.mkdir(exist_ok=True)
        return str(directory)

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        return {part.name: part.capture(training) for part in self.components}


class OnTheCpu2(OnTheCpu1):
    """FSDP2."""

    version = 2

    def sharded(self, model: torch.nn.Module) -> Any:
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        return fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
