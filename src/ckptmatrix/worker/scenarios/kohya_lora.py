"""As kohya's sd-scripts and fluxgym train a LoRA: a frozen base model and a small network on it.

Both are prepared, but a save hook takes the base out of what is saved and writes
`train_state.json`; a load hook takes it out of what is loaded and reads that file. The directory
is `NAME-000030-state`. Gradients are accumulated, and the state is saved after an epoch, where they
have just been applied: `accelerator.step` is 0 there, as in any new process.
"""

from __future__ import annotations

import json
import os
from typing import Any

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.release import accepts, new_accelerator
from ckptmatrix.worker.scenarios.basic import FEATURES, Basic, Samples
from ckptmatrix.worker.stored import stored
from ckptmatrix.worker.training import Training, record
from ckptmatrix.worker.words import Part

STATE_FILE = "train_state.json"
ROUND = 4
"""Micro-batches of an optimizer step."""
MICRO_BATCH = 2
EPOCHS, STEPS = 30, 90
"""Where a run of 12 micro-batches, and so 3 optimizer steps, an epoch is after its 30th epoch."""


class Base(torch.nn.Module):
    """A frozen model, the same in every process, as one that is read from its published weights."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(FEATURES, FEATURES)
        published = torch.Generator().manual_seed(7)
        for parameter in self.layer.parameters():
            parameter.data = torch.randn(parameter.shape, generator=published)
        self.requires_grad_(False)

    def forward(self, inputs: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(inputs) + change).mean(1, keepdim=True)


class Lora(torch.nn.Module):
    """A low-rank change of a layer, with its `alpha` as a buffer and dropout on its rank."""

    def __init__(self, rank: int = 2) -> None:
        super().__init__()
        self.lora_down = torch.nn.Linear(FEATURES, rank, bias=False)
        self.lora_up = torch.nn.Linear(rank, FEATURES, bias=False)
        self.drop = torch.nn.Dropout(0.25)
        self.register_buffer("alpha", torch.tensor(1.0))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.lora_up(self.drop(self.lora_down(inputs))) * self.alpha / 2


def _drop_others(models: list[Any], entries: list[Any]) -> None:
    """Take the entries of all models but the network out, last first."""
    for index in reversed(range(len(models))):
        if not isinstance(unwrap(models[index]), Lora) and index < len(entries):
            entries.pop(index)


class KohyaLora(Basic):
    """A LoRA over a frozen base, with hooks."""

    def unsupported(self, device: str) -> str:
        if not accepts("register_save_state_pre_hook", "hook"):
            return "it has no hooks for save_state (0.16.0 is the first that has)"
        return ""

    def accelerator(self, device: str) -> Any:
        return new_accelerator(device, gradient_accumulation_steps=ROUND)

    def dataloader(self) -> torch.utils.data.DataLoader:
        return torch.utils.data.DataLoader(Samples(), batch_size=MICRO_BATCH, shuffle=True)

    def custom(self) -> list[Any]:
        return []

    def build(self, device: str) -> Training:
        accelerator, base, network = self.accelerator(device), Base(), Lora()
        [optimizer] = self.optimizers(network)
        [scheduler] = self.schedulers([optimizer])
        base, network, optimizer, loader, scheduler = accelerator.prepare(
            base, network, optimizer, self.dataloader(), scheduler
        )
        training = Training(accelerator, [network], [optimizer], [scheduler], [loader])
        training.extra.base = base
        training.hooked = {"current_epoch": 0, "current_step": 0}

        def save_hook(models: list[Any], weights: list[Any], directory: str) -> None:
            _drop_others(models, weights)
            with open(os.path.join(directory, STATE_FILE), "w", encoding="utf-8") as file:
                json.dump(training.hooked, file)

        def load_hook(models: list[Any], directory: str) -> None:
            _drop_others(list(models), models)
            path = os.path.join(directory, STATE_FILE)
            if os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    training.hooked.update(json.load(file))

        accelerator.register_save_state_pre_hook(save_hook)
        accelerator.register_load_state_pre_hook(load_hook)
        return training

    def verify(self, training: Training) -> None:
        if len(training.accelerator._models) != 2:
            raise RuntimeError("asked for two prepared models")

    def loss(self, training: Training, batch: Any) -> torch.Tensor:
        _, inputs, targets = batch
        change = training.models[0](inputs)
        return torch.nn.functional.mse_loss(training.extra.base(inputs, change), targets)

    def before(self, training: Training) -> None:
        self.epoch(training)
        if training.accelerator.step:
            raise RuntimeError(f"asked for a save after a round, got {training.accelerator.step}")
        training.hooked.update(current_epoch=EPOCHS, current_step=STEPS)

    def step(self, training: Training, batch: Any) -> dict[str, Any]:
        with training.accelerator.accumulate(training.models[0]):
            loss = self.loss(training, batch)
            training.accelerator.backward(loss)
            training.optimizers[0].step()
            training.schedulers[0].step()
            training.optimizers[0].zero_grad()
        if training.accelerator.sync_gradients:
            training.hooked["current_step"] += 1
        counted = {"current_step": training.hooked["current_step"]}
        return {**record(training, loss, batch[0]), **counted}

    def save(self, training: Training, parent: str) -> str:
        epoch = training.hooked["current_epoch"]
        directory = os.path.join(parent, f"name-{epoch:06d}-state")
        training.accelerator.save_state(directory)
        return directory

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        with open(os.path.join(directory, STATE_FILE), encoding="utf-8") as file:
            return {**stored(training, directory), Part.HOOK_FILES: json.load(file)}


scenario = KohyaLora
