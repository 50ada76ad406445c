"""Two processes, saved by both and loaded by both: gloo on the CPU, NCCL on two GPUs.

What all of them share (weights, optimizer, scheduler) is in the files once; its generators each has
in a file of its own, `random_states_0.pkl` and `random_states_1.pkl`, and so the counter of steps.
The samples are not shuffled: what accelerate does with the order is another scenario's matter.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.release import gpus
from ckptmatrix.worker.scenarios.basic import BATCH, FEATURES, Basic, Counter, Samples
from ckptmatrix.worker.training import Training


def network() -> torch.nn.Module:
    """A small network with dropout, which draws from each process's own generator.

    No batch norm: its statistics are each process's own until the next step, and only those of
    rank 0 are saved.
    """
    return torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 8),
        torch.nn.LayerNorm(8),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.25),
        torch.nn.Linear(8, 1),
    )


class Ddp2(Basic):
    """A `DistributedDataParallel` model in two processes."""

    processes = (2, 2)

    def unsupported(self, device: str) -> str:
        if device == "cuda" and gpus() < 2:
            return "it needs two GPUs"
        return ""

    def model(self) -> torch.nn.Module:
        return network()

    def dataloader(self) -> torch.utils.data.DataLoader:
        return torch.utils.data.DataLoader(Samples(), batch_size=BATCH)

    def custom(self) -> list[Any]:
        counter = Counter()
        counter.mean = torch.zeros(3)  # at first alike in all processes
        return [counter]

    def verify(self, training: Training) -> None:
        model = training.models[0]
        if training.accelerator.num_processes > 1 and model is unwrap(model):
            raise RuntimeError(f"asked for two processes that train together, got {type(model)}")

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        record = super(Basic, self).step(training, batch)
        # Custom objects are saved once for all, so a script must keep them alike everywhere.
        loss = torch.tensor([float.fromhex(record["loss"])], device=training.accelerator.device)
        training.custom[0].update(float(training.accelerator.gather(loss).mean()))
        return record


scenario = Ddp2
