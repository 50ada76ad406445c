"""What a scenario is: a training that is built, run, saved, loaded and run on.

A scenario of one's own is a subclass of `Scenario` with a `build` (and a `loss` if its batches are
not `(ids, inputs, targets)`), named in `matrix.toml` as `module:Class`.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from ckptmatrix.worker.components import COMPONENTS, Component
from ckptmatrix.worker.measured import Step
from ckptmatrix.worker.words import Part


class Training:
    """The live objects of one training, prepared by accelerate.

    Attributes:
        accelerator: the `Accelerator`.
        models, optimizers, schedulers, dataloaders: prepared objects, in the order of preparation.
        custom: objects registered with `register_for_checkpointing`.
        hooked: state that the script's own hooks save and load; plain values, changed in place.
        recorded: what `record` has recorded so far.
        extra: whatever else a scenario keeps with it, by attribute.
        device: `cpu` or `cuda`.
    """

    def __init__(
        self,
        accelerator: Any,
        models: Any = (),
        optimizers: Any = (),
        schedulers: Any = (),
        dataloaders: Any = (),
        custom: Any = (),
    ) -> None:
        self.accelerator = accelerator
        self.models = list(models)
        self.optimizers = list(optimizers)
        self.schedulers = list(schedulers)
        self.dataloaders = list(dataloaders)
        self.custom = list(custom)
        self.hooked: dict[str, Any] = {}
        self.recorded: list[Step] = []
        self.extra = SimpleNamespace()
        self.device: str = accelerator.device.type


class UnsupportedError(Exception):
    """What was built is not what was asked for, since this release or device cannot do it."""


class Scenario:
    """One kind of training state. Subclasses define `build`; the rest has sensible defaults."""

    components: tuple[Component, ...] = COMPONENTS
    """What is verified on its own."""
    processes: tuple[int, int] = (1, 1)
    """How many processes the writer trains with, and how many the reader."""
    trains_on = True
    """Whether it can train after the load; where it cannot, the components alone are judged."""
    patience = math.inf
    """Seconds after which a load never returns; the run has a limit for all of them."""
    files: tuple[tuple[str, str], ...] = ()
    """Patterns of the files that the script's own hooks write (`unet/*`), or of one key in such a
    file (`train_state.json:current_step`), and the component that it belongs to: `hook_files` where
    none is named, nothing where it is empty. The first that fits counts."""

    stageable = True
    """Whether what the reader builds can be built once, before it is known what is loaded."""

    def facing(self, directory: str) -> Scenario:
        """The scenario of a reader that will load this checkpoint; the same for most."""
        return self

    def unsupported(self, device: str) -> str:
        """Why this release cannot do what is asked; empty if it can. Looks, never tries.

        On the CPU it is asked in the worker itself, which is forked afterwards.
        """
        return ""

    def unsupported_reader(self, device: str) -> str:
        """The same for a release that reads, where reading takes less than writing."""
        return self.unsupported(device)

    def note(self, device: str) -> str:
        """What is to be said of each outcome of it on this device; mostly nothing."""
        return ""

    def exercise(self, reads: bool) -> None:
        """Do in the worker itself what takes long whenever a process does it for the first time.

        It must leave nothing behind that a cell could notice, and it does not touch accelerate,
        which each cell must be the first to meet. Where it starts threads, it is left out: a child
        does it first. With a GPU it is never done.

        Args:
            reads: whether the reader's cells follow, or the writer's.
        """

    def build(self, device: str) -> Training:
        """Make and prepare everything; the generators have been seeded just before."""
        raise NotImplementedError

    def build_reader(self, device: str) -> Training:
        """What the reader builds, where its script is another than the writer's.

        The reference is built so too: a perfect load is one into the reader's own objects.
        """
        return self.build(device)

    def verify(self, training: Training) -> None:
        """Raise `RuntimeError` if what was built is not what was asked for.

        Raise `UnsupportedError` if that is how this release is known to be on this device.
        """

    def loss(self, training: Training, batch: Any) -> torch.Tensor:
        """Loss of one batch, a scalar tensor; `batch` is `(ids, inputs, targets)`."""
        _, inputs, targets = batch
        return torch.nn.functional.mse_loss(training.models[0](inputs), targets)

    def before(self, training: Training) -> None:
        """The training up to the save: one epoch."""
        self.epoch(training)

    def after(self, training: Training) -> list[Step]:
        """The training after the save or the load, recorded: one more epoch."""
        return self.epoch(training)

    def save(self, training: Training, parent: str) -> str:
        """Save below `parent`; returns the checkpoint's directory."""
        directory = os.path.join(parent, "checkpoint")
        training.accelerator.save_state(directory)
        return directory

    def load(
        self, training: Training, directory: str, load_state: Callable[[Any, str], object]
    ) -> None:
        """Load by the loader under test."""
        load_state(training.accelerator, directory)

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        """Component name -> value as it lies in the files, for what this scenario's save writes."""
        from ckptmatrix.worker.stored import stored  # reads checkpoints; only writers need it

        return stored(training, directory)

    def epoch(self, training: Training) -> list[Step]:
        """One pass over the first dataloader; a record for each step."""
        return [self.step(training, batch) for batch in training.dataloaders[0]]

    def step(self, training: Training, batch: Any) -> Step:
        """One optimisation step, and what is recorded of it."""
        loss = self.loss(training, batch)
        training.accelerator.backward(loss)
        for optimizer in training.optimizers:
            optimizer.step()
        for scheduler in training.schedulers:
            scheduler.step()
        for optimizer in training.optimizers:
            optimizer.zero_grad()
        return record(training, loss, batch[0])


def record(training: Training, loss: torch.Tensor, ids: torch.Tensor) -> Step:
    """What the resume trace compares, in the order in which a difference is named.

    The draws advance the generators a little, in the reference as well.
    """
    found = {
        "samples": ids.flatten().tolist(),
        "loss": float(loss.detach()).hex(),
        "lr": [
            float(group["lr"]).hex()
            for optimizer in training.optimizers
            for group in optimizer.param_groups
        ],
        "synced": bool(getattr(training.accelerator, "sync_gradients", True)),
        Part.PYTHON_RANDOM.value: random.random().hex(),
        Part.NUMPY_RANDOM.value: float(np.random.random_sample()).hex(),
        Part.TORCH_RANDOM.value: float(torch.rand((), device="cpu")).hex(),
    }
    training.recorded.append(found)
    return found


def seed_everything(seed: int) -> None:
    """Seed every generator that a training may draw from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
