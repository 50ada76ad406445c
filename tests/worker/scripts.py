"""Trainings as people's scripts do them, with the components that come by themselves.

They run inside an environment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.training import Scenario, Training, record

SAMPLES, BATCH, ROUND, TAKEN = 24, 2, 4, 5
BATCHES = SAMPLES // BATCH


class Data(torch.utils.data.Dataset):
    """Samples `(id, inputs, target)`, the same in every process."""

    def __len__(self) -> int:
        return SAMPLES

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor, torch.Tensor]:
        return index, torch.sin(torch.arange(4.0) * (index + 1)), torch.tensor([index / SAMPLES])


class Script(Scenario):
    """A plain loop: a small network, AdamW, a schedule, a shuffled dataloader."""

    rounds = 1
    """Micro-batches of an optimizer step."""

    def build(self, device: str) -> Training:
        accelerator = new_accelerator(device, gradient_accumulation_steps=self.rounds)
        model = torch.nn.Sequential(
            torch.nn.Linear(4, 8), torch.nn.Dropout(0.2), torch.nn.Linear(8, 1)
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
        loader = torch.utils.data.DataLoader(Data(), batch_size=BATCH, shuffle=True)
        model, optimizer, loader, scheduler = accelerator.prepare(
            model, optimizer, loader, scheduler
        )
        training = Training(accelerator, [model], [optimizer], [scheduler], [loader])
        training.extra.seen = 0
        return training

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        training.extra.seen += 1
        with training.accelerator.accumulate(training.models[0]):
            loss = self.loss(training, batch)
            training.accelerator.backward(loss)
            training.optimizers[0].step()
            training.schedulers[0].step()
            training.optimizers[0].zero_grad()
        return record(training, loss, batch[0])


class EpochEnd(Script):
    """Saves after an epoch: `accelerator.step` is 0 there, as in any new process."""


class MidEpoch(Script):
    """As accelerate's example of checkpointing: `skip_first_batches` after the load."""

    def before(self, training: Training) -> None:
        self.epoch(training)
        training.extra.rest = iter(training.dataloaders[0])
        for _ in range(TAKEN):
            self.step(training, next(training.extra.rest))

    def after(self, training: Training) -> list[dict[str, Any]]:
        return [self.step(training, batch) for batch in self.rest(training)]

    def rest(self, training: Training) -> Iterator[Any]:
        """What is left of the epoch; the number of batches is in the name of the checkpoint."""
        loader = training.dataloaders[0]
        left: Iterator[Any] = getattr(training.extra, "rest", None) or iter(
            training.accelerator.skip_first_batches(loader, TAKEN)
        )
        return left


class Gradients(Script):
    """Saves between two optimizer steps; the loader is the script's own, not shuffled."""

    rounds = ROUND

    def build(self, device: str) -> Training:
        training = super().build(device)
        training.dataloaders = [torch.utils.data.DataLoader(Data(), batch_size=BATCH)]
        return training

    def before(self, training: Training) -> None:
        for batch in islice(training.dataloaders[0], 6):
            self.step(training, batch)


class DrawingHooks(Script):
    """Hooks that draw random numbers while they save, as an average of the weights may."""

    late = False
    """Whether they draw once the random states lie in their file."""

    def build(self, device: str) -> Training:
        training = super().build(device)

        def draw(models: list[Any], weights: list[Any], directory: str) -> None:
            torch.randn(3)

        training.accelerator.register_save_state_pre_hook(draw)
        return training

    def save(self, training: Training, parent: str) -> str:
        directory = super().save(training, parent)
        if self.late:
            torch.randn(3)
        return directory


class DrawingLate(DrawingHooks):
    """The same after the random states were saved: no load has them as they are then."""

    late = True


class MoreRecorded(Script):
    """Records a count and a norm beside what comes by itself, and leaves the optimizer out."""

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        found = super().step(training, batch)
        norm = float(torch.cat([p.flatten() for p in training.models[0].parameters()]).norm())
        return {**found, "seen": training.extra.seen - self.began, "norm": norm.hex()}

    began = 0

    def after(self, training: Training) -> list[dict[str, Any]]:
        self.began = training.extra.seen
        return self.epoch(training)


class Forgetful(MoreRecorded):
    """Its load leaves the optimizer behind."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        state = training.optimizers[0].state_dict()
        load_state(training.accelerator, directory)
        training.optimizers[0].load_state_dict(state)


class PartOfSteps(Script):
    """Compares every other step alone."""

    def after(self, training: Training) -> list[dict[str, Any]]:
        return self.epoch(training)[1::2]


class StateFile(Script):
    """As kohya's scripts: a hook writes a file, of which the other reads one value."""

    files: tuple[tuple[str, str], ...] = (
        ("train_state.json:current_step", "hook_files"),
        ("train_state.json", ""),
    )

    def build(self, device: str) -> Training:
        training = super().build(device)
        training.hooked = {"current_step": 0}

        def save(models: list[Any], weights: list[Any], directory: str) -> None:
            noted = {"comment": "as of the last epoch, which nothing reads", **training.hooked}
            Path(directory, "train_state.json").write_text(json.dumps(noted), encoding="utf-8")

        def load(models: list[Any], directory: str) -> None:
            training.hooked["current_step"] = self.noted(directory)["current_step"]

        training.accelerator.register_save_state_pre_hook(save)
        training.accelerator.register_load_state_pre_hook(load)
        return training

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        training.hooked["current_step"] += 1
        return super().step(training, batch)

    def noted(self, directory: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(Path(directory, "train_state.json").read_text("utf-8"))
        return found

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        read = {"current_step": self.noted(directory)["current_step"]}
        return {**super().stored(training, directory), "hook_files": read}


class UndeclaredFile(StateFile):
    """The same; nothing says that the comment is read by nobody."""

    files = ()
