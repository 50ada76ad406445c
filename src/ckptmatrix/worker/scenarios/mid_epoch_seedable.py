"""The same with accelerate's seedable sampler, whose order hangs on a seed and the epoch alone.

The script seeds itself the same in every run, as scripts do, so the seed is right. The epoch is not
in the checkpoint: a resumed run goes through the order of epoch 0 again, unless the script calls
`set_epoch` itself, which `mid-epoch-set-epoch` does.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import data_loader, utils

from ckptmatrix.worker.components import Dataloader, components_with
from ckptmatrix.worker.release import accepts, new_accelerator
from ckptmatrix.worker.scenarios.basic import BATCH, Samples
from ckptmatrix.worker.scenarios.mid_epoch import MidEpoch
from ckptmatrix.worker.training import Training, UnsupportedError

SEED = 42


class Epoch(Dataloader):
    """The sampler's seed and the epoch that is under way."""

    def capture(self, training: Training) -> Any:
        found = super().capture(training)
        sampler = self._samplers(training)["0"][1]
        put_in = getattr(training.extra, "uninterrupted", False)
        if not hasattr(sampler, "initial_seed") and sampler.generator is not None and not put_in:
            # 0.25 adds the epoch to the generator's seed as an epoch begins, so it is in there;
            # what was put in is as it was before.
            found["0"]["seed"] = sampler.generator.initial_seed() - sampler.epoch
        return found

    def inject(self, training: Training, value: Any) -> None:
        super().inject(training, value)
        training.extra.uninterrupted = True


class MidEpochSeedable(MidEpoch):
    """A shuffled dataloader with `use_seedable_sampler=True`."""

    components = components_with(Epoch())

    def unsupported(self, device: str) -> str:
        if not hasattr(data_loader, "SeedableRandomSampler"):
            return "it has no seedable sampler (0.24.0 is the first that has)"
        return super().unsupported(device)

    def accelerator(self, device: str) -> Any:
        if hasattr(utils, "DataLoaderConfiguration"):
            config = utils.DataLoaderConfiguration(use_seedable_sampler=True)
            return new_accelerator(device, dataloader_config=config)
        if accepts("__init__", "use_seedable_sampler"):
            return new_accelerator(device, use_seedable_sampler=True)
        return new_accelerator(device)

    def dataloader(self) -> torch.utils.data.DataLoader:
        # With a generator of its own, the beginning of an epoch draws from none of the others.
        generator = torch.Generator().manual_seed(SEED)
        return torch.utils.data.DataLoader(
            Samples(), batch_size=BATCH, shuffle=True, generator=generator
        )

    def build(self, device: str) -> Training:
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(SEED)
            return super().build(device)

    def verify(self, training: Training) -> None:
        kind = type(training.dataloaders[0].batch_sampler.sampler).__name__
        if kind != "SeedableRandomSampler":
            raise UnsupportedError(
                "this release takes its seedable sampler for several processes only"
            )


scenario = MidEpochSeedable
