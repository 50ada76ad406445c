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

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor, torch.Tensor]:
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
    """A small network with parameters, buffers and dropout, which draws from torch's generator."""
    return torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.25),
        torch.nn.Linear(8, 1),
    )


class Basic(Scenario):
    """One model, one optimizer, one scheduler, one shuffled dataloader, one custom object.

    Each is made by a method of its own, for scenarios that differ in one of them.
    """

    micro_batches = 360
    """What `accelerator.step` is when it is saved."""

    def accelerator(self, device: str) -> Any:
        """The accelerator."""
        return new_accelerator(device)

    def model(self) -> torch.nn.Module:
        """The model, not yet prepared."""
        return network()

    def optimizers(self, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
        """The optimizers, not yet prepared."""
        return [torch.optim.Adam(model.parameters(), lr=0.01)]

    def schedulers(self, optimizers: list[torch.optim.Optimizer]) -> list[Any]:
        """The schedulers, not yet prepared.

        An epoch's six steps are no multiple of four: one that starts over is out of step.
        """
        return [
            torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.9)
            for optimizer in optimizers
        ]

    def dataloader(self) -> torch.utils.data.DataLoader:
        """The dataloader, not yet prepared."""
        return torch.utils.data.DataLoader(Samples(), batch_size=BATCH, shuffle=True)

    def custom(self) -> list[Any]:
        """The objects to register; `step` calls `update` of each."""
        return [Counter()]

    def build(self, device: str) -> Training:
        accelerator = self.accelerator(device)
        model = self.model()
        optimizers = self.optimizers(model)
        schedulers = self.schedulers(optimizers)
        prepared = iter(
            accelerator.prepare(model, *optimizers, self.dataloader(), *schedulers),
        )
        model = next(prepared)
        optimizers = [next(prepared) for _ in optimizers]
        loader = next(prepared)
        schedulers = list(prepared)
        custom = self.custom()
        for item in custom:
            accelerator.register_for_checkpointing(item)
        return Training(accelerator, [model], optimizers, schedulers, [loader], custom)

    def before(self, training: Training) -> None:
        super().before(training)
        if hasattr(training.accelerator, "step"):
            training.accelerator.step = self.micro_batches

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        record = super().step(training, batch)
        for item in training.custom:
            item.update(float.fromhex(record["loss"]))
        return record


scenario = Basic
