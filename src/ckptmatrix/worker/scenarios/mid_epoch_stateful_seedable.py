"""The stateful dataloader with the seedable sampler and a script that calls `set_epoch`: the
position is in the checkpoint, and the order follows from the seed and the epoch."""

from __future__ import annotations

from typing import Any

from accelerate import utils

from ckptmatrix.worker.components import components_with
from ckptmatrix.worker.release import new_accelerator
from ckptmatrix.worker.scenarios.mid_epoch_seedable import Epoch
from ckptmatrix.worker.scenarios.mid_epoch_set_epoch import MidEpochSetEpoch
from ckptmatrix.worker.scenarios.mid_epoch_stateful import MidEpochStateful, Position
from ckptmatrix.worker.training import Training


class MidEpochStatefulSeedable(MidEpochSetEpoch):
    """`use_stateful_dataloader=True, use_seedable_sampler=True`."""

    components = components_with(Position(Epoch()))
    unsupported = MidEpochStateful.unsupported
    stored = MidEpochStateful.stored

    def accelerator(self, device: str) -> Any:
        config = utils.DataLoaderConfiguration(
            use_stateful_dataloader=True, use_seedable_sampler=True
        )
        return new_accelerator(device, dataloader_config=config)

    def rest(self, training: Training) -> Any:
        if not hasattr(training.extra, "rest"):
            self.tell_epoch(training)
        return getattr(training.extra, "rest", training.dataloaders[0])


scenario = MidEpochStatefulSeedable
