"""Fully sharded training in two processes: FSDP1, the state gathered into one file each.

It needs two GPUs: on the CPU every release makes plain data parallel training of it without a word,
which `verify` finds by looking at the model that came back.
"""

from __future__ import annotations

import inspect
import os
from typing import Any

import accelerate
import torch

from ckptmatrix.worker import stored
from ckptmatrix.worker.release import gpus, new_accelerator, release, torch_release
from ckptmatrix.worker.scenarios.basic import BATCH, Basic, Samples
from ckptmatrix.worker.scenarios.ddp_2 import network
from ckptmatrix.worker.sharding import SHARDED_COMPONENTS, kind_of
from ckptmatrix.worker.training import Training, UnsupportedError
from ckptmatrix.worker.words import Part


class Fsdp2(Basic):
    """A sharded model and optimizer, and a scheduler."""

    components = SHARDED_COMPONENTS
    processes = (2, 2)
    version = 1
    """Of FSDP."""
    states = "FULL_STATE_DICT"
    """How model and optimizer are saved: gathered, or `SHARDED_STATE_DICT`."""

    def unsupported(self, device: str) -> str:
        plugin = getattr(accelerate, "FullyShardedDataParallelPlugin", None)
        if plugin is None:
            return "this release has no FSDP (there is from 0.12.0 on)"
        if self.version == 2 and "fsdp_version" not in inspect.signature(plugin).parameters:
            return "this release has no FSDP2 (there is from 1.6.0 on)"
        if self.version == 2 and torch_release() < (2, 6):
            return "accelerate's FSDP2 needs torch 2.6 or newer"
        if self.version == 2 and self.states == "FULL_STATE_DICT" and release() < (1, 7):
            return "this release saves FSDP2 in shards alone (gathered from 1.7.0 on)"
        if device == "cuda" and gpus() < 2:
            return "it needs two GPUs"
        return ""

    def build(self, device: str) -> Training:
        accelerator = new_accelerator(device, fsdp_plugin=self._plugin())
        model = network()
        loader = torch.utils.data.DataLoader(Samples(), batch_size=BATCH)
        if self.version == 1:  # the optimizer is for the parameters as they are after sharding
            model = accelerator.prepare(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.9)
        if self.version == 1:
            optimizer, loader, scheduler = accelerator.prepare(optimizer, loader, scheduler)
        else:
            model, optimizer, loader, scheduler = accelerator.prepare(
                model, optimizer, loader, scheduler
            )
        return Training(accelerator, [model], [optimizer], [scheduler], [loader])

    def _plugin(self) -> Any:
        from torch.distributed.fsdp import StateDictType  # only who shards imports so much

        plugin = accelerate.FullyShardedDataParallelPlugin
        # Each process's slices may start from its own weights, one model they are all the same.
        # By default some releases ask for a GPU here; 0.24 looks at the variable alone.
        os.environ["FSDP_SYNC_MODULE_STATES"] = "False"
        wanted: dict[str, Any] = {
            "state_dict_type": getattr(StateDictType, self.states),
            "fsdp_version": self.version,
            "sync_module_states": False,
        }
        known = inspect.signature(plugin).parameters
        return plugin(**{name: value for name, value in wanted.items() if name in known})

    def verify(self, training: Training) -> None:
        asked, got = f"FSDP{self.version}", kind_of(training.models[0])
        if got == asked:
            return
        reason = f"asked for {asked} on {training.device}, accelerate made {got} of it"
        raise UnsupportedError(reason) if training.device == "cpu" else RuntimeError(reason)

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        """Sharded files are a format of their own: of them only their presence is looked at."""
        values = stored.stored(training, directory)
        names = os.listdir(directory)
        begins: dict[str, str] = {Part.MODEL: "pytorch_model_fsdp", Part.OPTIMIZER: "optimizer"}
        for part in self.components:
            file = begins.get(part.name)
            if file and any(name.startswith(file) for name in names):
                values[part.name] = part.capture(training)
        return values


scenario = Fsdp2
