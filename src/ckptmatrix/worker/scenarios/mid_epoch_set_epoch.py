"""The seedable sampler with a script that says which epoch it is in: `set_epoch` after the load.

From 1.7.0 to 1.14.0 the loader that `skip_first_batches` makes takes that back: it counts from 0,
and hands its count on to the sampler.
"""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.scenarios.mid_epoch import BATCHES
from ckptmatrix.worker.scenarios.mid_epoch_seedable import MidEpochSeedable
from ckptmatrix.worker.training import Training


class MidEpochSetEpoch(MidEpochSeedable):
    """`loader.set_epoch(epoch)`, then `skip_first_batches`; and again as the next epoch begins."""

    def tell_epoch(self, training: Training) -> None:
        """What the script adds: the number of the epoch that is under way, or begins."""
        training.dataloaders[0].set_epoch(training.custom[0].seen // BATCHES)

    def resumed(self, training: Training, taken: int) -> Any:
        self.tell_epoch(training)
        return super().resumed(training, taken)

    def epoch(self, training: Training) -> list[dict[str, Any]]:
        self.tell_epoch(training)
        return super().epoch(training)


scenario = MidEpochSetEpoch
