"""A plain training: a model with dropout, Adam, a scheduler, a shuffled dataloader, a counter.

It is saved at the end of an epoch, so the order of the next one hangs on the torch generator alone.
"""

from __future__ import annotations

from typing import Any

import torch

from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.training import Scenario, Training

FEATURES = 6
SAMPLES = 24
BATCH = 4


class Samples(torch.utils.data.Dataset):
    """Fixed samples `(id, inputs, target)`; the same in every process, whatever the seed."""

    def __init__(self, count: int = SAMPLES) -> None:
        generator = torch.Generator().manual_seed(2024)
        self.inputs = torch.randn(count, FEATURES, generator=generator)
        self.targets = torch.randn(count, 1, generator=generator)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple:
        return index, self.inputs[index], self.targets[index]


class Counter:
    """A registered custom object with a tensor, a list and a number."""

    def __init__(self) -> None:
        self.seen = 0
        self.history = [0.0]
        self.mean = torch.rand(3)

    def update(self, loss: float) -> None:
        self.seen += 1
        self.history.append(loss)
        self.mean = 0.9 * self.mean + loss

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen, "history": list(self.history), "mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seen, self.history, self.mean = state["seen"], state["history"], state["mean"]


def network() -> torch.nn.Module:
    """A small network with parameters, a buffer and dropout (which draws from torch's generator)."""
    return torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.25),
        torch.nn.Linear(8, 1),
    )


class Basic(Scenario):
    """One model, one optimizer, one scheduler, one shuffled dataloader, one custom object."""

    micro_batches = 360
    """What `accelerator.step` is when it is saved."""

    def build(self, device: str) -> Training:
        accelerator = new_accelerator(device)
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.9)
        loader = torch.utils.data.DataLoader(Samples(), batch_size=BATCH, shuffle=True)
        model, optimizer, loader, scheduler = accelerator.prepare(
            model, optimizer, loader, scheduler
        )
        counter = Counter()
        accelerator.register_for_checkpointing(counter)
        return Training(accelerator, [model], [optimizer], [scheduler], [loader], [counter])

    def before(self, training: Training) -> None:
        super().before(training)
        if hasattr(training.accelerator, "step"):
            training.accelerator.step = self.micro_batches

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        record = super().step(training, batch)
        training.custom[0].update(float.fromhex(record["loss"]))
        return record


scenario = Basic
