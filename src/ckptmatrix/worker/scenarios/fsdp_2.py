"""Fully sharded training in two processes: FSDP1, the state gathered into one file each.

On two GPUs as it is. On the CPU every release makes plain data parallel training of it without a
word, so there the gate is lifted (`lifting`), and `verify` looks at the model that came back.
"""

from __future__ import annotations

import inspect
import os
import re
from typing import Any

import accelerate
import torch

from ckptmatrix.worker import stored
from ckptmatrix.worker.lifting import LIFTED, alone, lift_fsdp, why_not_lifted
from ckptmatrix.worker.neutral import ABSENT
from ckptmatrix.worker.release import gpus, new_accelerator, release, torch_release
from ckptmatrix.worker.scenarios.basic import BATCH, Basic, Samples
from ckptmatrix.worker.scenarios.ddp_2 import network
from ckptmatrix.worker.sharding import SHARDED_COMPONENTS, ShardedModel, ShardedOptimizer, kind_of
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.wholes import WHOLE_COMPONENTS

FULL = "FULL_STATE_DICT"
SHARDS = "SHARDED_STATE_DICT"
"""How model and optimizer are saved: gathered into one file each, or a shard of each process."""

_PRIVATE = "_state_dict_type_to_config"
"""Of torch 1.13 alone; up to 0.14 accelerate imports it."""


def _missing_in_torch(plugin: Any) -> str:
    """What accelerate's plugin imports and this torch has not; looked up in their sources.

    Importing the module would start what no process may have that is forked afterwards.
    """
    if _PRIVATE not in inspect.getsource(plugin):
        return ""
    folder = os.path.join(os.path.dirname(torch.__file__), "distributed", "fsdp")
    with open(os.path.join(folder, "fully_sharded_data_parallel.py"), encoding="utf-8") as source:
        return "" if re.search(rf"^{_PRIVATE}\b", source.read(), re.MULTILINE) else _PRIVATE


class Fsdp2(Basic):
    """A sharded model and optimizer, and a scheduler."""

    processes = (2, 2)
    patience = 20  # a load takes half a second, or its processes wait for each other for ever
    versions = (1, 1)
    """Of FSDP, the writer's and the reader's."""
    states = (FULL, FULL)
    """How the writer saves, and what the reader is set to."""
    dtype = torch.float32
    """Of all weights, and so of what the optimizer keeps."""

    def __init__(self) -> None:
        # Slices of the same kind and number are compared one by one, others as what they make up.
        like = self.processes[0] == self.processes[1] and self.versions[0] == self.versions[1]
        self.components = SHARDED_COMPONENTS if like else WHOLE_COMPONENTS

    def unsupported(self, device: str) -> str:
        return self._unsupported(device, reads=False)

    def unsupported_reader(self, device: str) -> str:
        return self._unsupported(device, reads=True)

    def _unsupported(self, device: str, reads: bool) -> str:
        plugin = getattr(accelerate, "FullyShardedDataParallelPlugin", None)
        version, states = self.versions[reads], self.states[reads]
        if plugin is None:
            return "this release has no FSDP (there is from 0.12.0 on)"
        if version == 2 and "fsdp_version" not in inspect.signature(plugin).parameters:
            return "this release has no FSDP2 (there is from 1.6.0 on)"
        if version == 2 and torch_release() < (2, 6):
            return "accelerate's FSDP2 needs torch 2.6 or newer"
        if version == 2 and states == FULL and release() < (1, 7):
            return "this release saves FSDP2 in shards alone (gathered from 1.7.0 on)"
        missing = _missing_in_torch(plugin)
        if missing:
            return f"this release's FSDP imports {missing} of torch, which this torch has not"
        if release()[:2] == (1, 1):
            return "it shards only models with transformers' _tied_weights_keys (fixed in 1.2.0)"
        if states == SHARDS and release() < (0, 21):
            return "what it saves of each process no other process can read (shards from 0.21.0 on)"
        if device == "cuda" and gpus() < self.processes[reads]:
            return f"it needs {self.processes[reads]} GPUs"
        return why_not_lifted() if device == "cpu" else ""

    def note(self, device: str) -> str:
        return LIFTED if device == "cpu" else ""

    def build(self, device: str) -> Training:
        return self._build(device, reads=False)

    def build_reader(self, device: str) -> Training:
        return self._build(device, reads=True)

    def accelerator_with(self, device: str, plugin: Any) -> Any:
        """The accelerator, told how to shard."""
        return new_accelerator(device, fsdp_plugin=plugin)

    def _build(self, device: str, reads: bool) -> Training:
        version = self.versions[reads]
        if self.processes[reads] == 1:
            alone()
        if device == "cpu":
            lift_fsdp()
        accelerator = self.accelerator_with(device, _plugin(version, self.states[reads]))
        model = network().to(self.dtype)
        loader = torch.utils.data.DataLoader(Samples(), batch_size=BATCH)
        if version == 1:  # the optimizer is for the parameters as they are after sharding
            model = accelerator.prepare(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.9)
        if version == 1:
            optimizer, loader, scheduler = accelerator.prepare(optimizer, loader, scheduler)
        else:
            model, optimizer, loader, scheduler = accelerator.prepare(
                model, optimizer, loader, scheduler
            )
        training = Training(accelerator, [model], [optimizer], [scheduler], [loader])
        training.extra.asked = f"FSDP{version}"
        return training

    def verify(self, training: Training) -> None:
        asked, got = training.extra.asked, kind_of(training.models[0])
        if got != asked:
            raise RuntimeError(
                f"asked for {asked} on {training.device}, accelerate made {got} of it"
            )
        kinds = {parameter.dtype for parameter in training.models[0].parameters()}
        if kinds != {self.dtype}:
            raise RuntimeError(f"asked for weights of {self.dtype}, got {kinds}")

    def loss(self, training: Training, batch: Any) -> torch.Tensor:
        ids, inputs, targets = batch
        return super().loss(training, (ids, inputs.to(self.dtype), targets.to(self.dtype)))

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        values = stored.stored(training, directory)
        for part in self.components:
            if isinstance(part, (ShardedModel, ShardedOptimizer)):
                there = part.in_files(training, directory)
                values[part.name] = part.capture(training) if there else ABSENT
        return values


def _plugin(version: int, states: str) -> Any:
    plugin = accelerate.FullyShardedDataParallelPlugin
    # As `accelerate launch` says it. Given as an argument, releases before 0.34 would make no
    # configuration for it and fall over that.
    os.environ["FSDP_STATE_DICT_TYPE"] = states
    # Each process's slices may start from its own weights, one model they are all the same.
    # By default some releases ask for a GPU here; 0.24 looks at the variable alone.
    os.environ["FSDP_SYNC_MODULE_STATES"] = "False"
    wanted: dict[str, Any] = {"fsdp_version": version, "sync_module_states": False}
    known = inspect.signature(plugin).parameters
    return plugin(**{name: value for name, value in wanted.items() if name in known})


scenario = Fsdp2
