"""The same with torchdata's stateful dataloader, whose position accelerate saves in
`dl_state_dict.bin`: after the load the script simply goes on with the loop.

The position says how many batches were taken, not of which order: accelerate's batch sampler keeps
no state, so a plain shuffling one draws a new order, and the right number of batches of it is
skipped. `mid-epoch-stateful-seedable` has an order that can be had back.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import utils

from ckptmatrix.worker.components import Component, components_with
from ckptmatrix.worker.layout import POSITION
from ckptmatrix.worker.neutral import ABSENT
from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.scenarios.basic import BATCH, Samples
from ckptmatrix.worker.scenarios.mid_epoch import MidEpoch, Order, Shuffled
from ckptmatrix.worker.stored import numbered, read, stored
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part


class Position(Component):
    """How far the dataloader is, as accelerate keeps it for the next save, and in which order."""

    name = Part.DATALOADER.value

    def __init__(self, order: Component) -> None:
        self.order = order

    def capture(self, training: Training) -> Any:
        loader = training.dataloaders[0]
        # What was loaded lies there until the next loop begins, and is nowhere else yet.
        position = loader.base_dataloader.next_iter_state or loader.state_dict()
        return {"position": position, **self.order.capture(training)}

    def inject(self, training: Training, value: Any) -> None:
        training.dataloaders[0].load_state_dict(value["position"])
        self.order.inject(training, value)


class MidEpochStateful(MidEpoch):
    """`DataLoaderConfiguration(use_stateful_dataloader=True)`, shuffled plainly."""

    components = components_with(Position(Order()))

    def unsupported(self, device: str) -> str:
        available = getattr(utils, "is_torchdata_stateful_dataloader_available", None)
        if available is None:
            return "it knows no stateful dataloader (0.34.0 is the first that does)"
        if not available():
            return "torchdata 0.8 or newer is not in this environment"
        return ""

    def accelerator(self, device: str) -> Any:
        config = utils.DataLoaderConfiguration(use_stateful_dataloader=True)
        return new_accelerator(device, dataloader_config=config)

    def dataloader(self) -> torch.utils.data.DataLoader:
        samples = Samples()
        # With a generator of its own, the beginning of an epoch draws the order and nothing else.
        return torch.utils.data.DataLoader(
            samples, batch_size=BATCH, sampler=Shuffled(samples), generator=torch.Generator()
        )

    def verify(self, training: Training) -> None:
        super().verify(training)
        kind = type(training.dataloaders[0].base_dataloader).__name__
        if kind != "StatefulDataLoader":
            raise RuntimeError(f"asked for a stateful dataloader, got {kind}")

    def rest(self, training: Training) -> Any:
        return getattr(training.extra, "rest", training.dataloaders[0])

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        files = numbered(directory, POSITION, 1)
        found = {"position": read(files["0"])} if files else ABSENT
        return {**stored(training, directory), Part.DATALOADER: found}


scenario = MidEpochStateful
