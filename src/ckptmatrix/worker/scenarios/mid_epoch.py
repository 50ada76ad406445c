"""A shuffled dataloader saved in the middle of an epoch, resumed with `skip_first_batches`.

What is compared with is training that was never interrupted, so the reference goes on in the order
that the writer had drawn. No release saves that order: the generators come back as they were in the
middle of the epoch, the resumed loader draws a new order from them, and the batches that are
skipped are not those that were seen. `mid-epoch-seedable` and `mid-epoch-stateful` are what
accelerate offers instead.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ckptmatrix.worker.components import Component, components_with
from ckptmatrix.worker.release import accepts
from ckptmatrix.worker.scenarios.basic import BATCH, SAMPLES, Basic, Samples
from ckptmatrix.worker.training import Training, UnsupportedError
from ckptmatrix.worker.words import Part

BATCHES = SAMPLES // BATCH
TAKEN = 2
"""Batches of the second epoch that come before the save."""


class Shuffled(torch.utils.data.RandomSampler):
    """Remembers the order that it drew last; when told one, it takes that."""

    def __init__(self, samples: Any) -> None:
        super().__init__(samples)
        self.order: list[int] = []
        self.told = False

    def __iter__(self) -> Iterator[int]:
        if not self.told:
            self.order = list(super().__iter__())
        self.told = False
        return iter(self.order)


class Order(Component):
    """The order of the epoch that is under way."""

    name = Part.DATALOADER.value

    def capture(self, training: Training) -> Any:
        return {"order": _sampler(training).order}

    def inject(self, training: Training, value: Any) -> None:
        sampler = _sampler(training)
        sampler.order, sampler.told = value["order"], True
        training.extra.uninterrupted = True


def _sampler(training: Training) -> Any:
    return training.dataloaders[0].batch_sampler.sampler


class MidEpoch(Basic):
    """A plain shuffled dataloader."""

    components = components_with(Order())

    def unsupported(self, device: str) -> str:
        if not accepts("skip_first_batches", "num_batches"):
            return "it has no skip_first_batches (0.16.0 is the first that has)"
        return ""

    def dataloader(self) -> torch.utils.data.DataLoader:
        samples = Samples()
        return torch.utils.data.DataLoader(samples, batch_size=BATCH, sampler=Shuffled(samples))

    def verify(self, training: Training) -> None:
        if not isinstance(_sampler(training), Shuffled):
            raise UnsupportedError(
                "this release puts its seedable sampler in the place of every shuffling one; "
                "see mid-epoch-seedable"
            )

    def before(self, training: Training) -> None:
        super().before(training)
        training.extra.rest = iter(training.dataloaders[0])
        for _ in range(TAKEN):
            self.step(training, next(training.extra.rest))

    def after(self, training: Training) -> list[dict[str, Any]]:
        return [self.step(training, batch) for batch in self.rest(training)] + self.epoch(training)

    def rest(self, training: Training) -> Any:
        """The batches left of the epoch, as far as the script knows how many were taken."""
        if hasattr(training.extra, "rest"):
            return training.extra.rest
        taken = training.custom[0].seen % BATCHES
        if hasattr(training.extra, "uninterrupted"):
            return _without(training.dataloaders[0], taken)
        return self.resumed(training, taken)

    def resumed(self, training: Training, taken: int) -> Any:
        """What the script makes of the dataloader after a load."""
        return training.accelerator.skip_first_batches(training.dataloaders[0], taken)


def _without(loader: Any, taken: int) -> Iterator[Any]:
    """Where an uninterrupted loop over the loader is after so many batches."""
    batches: Iterator[Any] = iter(loader)
    with _generators_held():
        for _ in range(taken):
            next(batches)
    return batches


@contextmanager
def _generators_held() -> Iterator[None]:
    """The beginning of an epoch draws from the generators; the uninterrupted run is past that."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])


scenario = MidEpoch
