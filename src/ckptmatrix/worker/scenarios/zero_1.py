"""Training by DeepSpeed in two processes: ZeRO-1, the optimizer's state partitioned.

On two GPUs as it is. On the CPU accelerate makes plain data parallel training of it without a word,
so there its gate is lifted (`lifting`), and `verify` looks at the engine that came back.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

import accelerate
import torch

from ckptmatrix.worker import stored
from ckptmatrix.worker.engine_files import (
    in_files,
    to_universal,
    universal_in_files,
    whole_in_files,
)
from ckptmatrix.worker.engine_wholes import WHOLE_ENGINE_COMPONENTS
from ckptmatrix.worker.lifting import (
    LIFTED_DEEPSPEED,
    alone,
    compiled_here,
    lift_deepspeed,
    why_not_lifted,
)
from ckptmatrix.worker.partitions import PARTITIONED_COMPONENTS, stage_of
from ckptmatrix.worker.release import gpus, release
from ckptmatrix.worker.scenarios.basic import BATCH, Basic, Samples
from ckptmatrix.worker.scenarios.ddp_2 import network
from ckptmatrix.worker.training import Training

logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
if os.environ.get("CUDA_VISIBLE_DEVICES") == "":  # a worker on the CPU, which is forked afterwards
    os.environ["DS_ACCELERATOR"] = "cpu"
    with suppress(ImportError):  # seconds, which each child would spend anew
        importlib.import_module("deepspeed")
        importlib.import_module("transformers.integrations.deepspeed")


_EVERY_STAGE_TOLD = (1, 0)
"""Since then accelerate tells transformers of each stage, not of ZeRO-3 alone (#3097)."""


def _wanted_of_accelerate() -> tuple[int, ...]:
    """The oldest accelerate that transformers works with, as it checks itself."""
    table = importlib.import_module("transformers.dependency_versions_table")
    return tuple(map(int, re.findall(r"\d+", table.deps["accelerate"])))


class Zero1(Basic):
    """An engine with torch's Adam, and a scheduler that accelerate saves."""

    processes = (2, 2)
    patience = 60
    stage = 1
    """Of ZeRO."""
    universal = False
    """Whether the reader is given what DeepSpeed's own converter makes of the checkpoint."""

    def __init__(self) -> None:
        # Slices of the same number of processes are compared one by one, others as a whole.
        like = self.processes[0] == self.processes[1] and not self.universal
        self.components = PARTITIONED_COMPONENTS if like else WHOLE_ENGINE_COMPONENTS

    def unsupported(self, device: str) -> str:
        return self._unsupported(device, reads=False)

    def unsupported_reader(self, device: str) -> str:
        return self._unsupported(device, reads=True)

    def _unsupported(self, device: str, reads: bool) -> str:
        if find_spec("deepspeed") is None:
            return "this stack has no DeepSpeed (those of tier deepspeed have)"
        if device == "cuda" and gpus() < self.processes[reads]:
            return f"it needs {self.processes[reads]} GPUs"
        told = self.stage == 3 or release() >= _EVERY_STAGE_TOLD
        wanted = _wanted_of_accelerate() if told else ()
        if release() < wanted:
            least = ".".join(map(str, wanted))
            return f"transformers is told of it, and this one asks for accelerate {least}"
        return why_not_lifted("DeepSpeed") if device == "cpu" else ""

    def note(self, device: str) -> str:
        return LIFTED_DEEPSPEED if device == "cpu" else ""

    def config(self, reads: bool) -> dict[str, Any]:
        """What DeepSpeed is told."""
        zero = {"stage": self.stage, "stage3_param_persistence_threshold": 0}
        return {
            "train_micro_batch_size_per_gpu": BATCH,
            "gradient_accumulation_steps": 1,
            "zero_optimization": zero,
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
            "checkpoint": {"load_universal": self.universal and reads},
        }

    def model(self) -> torch.nn.Module:
        return network()

    def build(self, device: str) -> Training:
        return self._build(device, reads=False)

    def build_reader(self, device: str) -> Training:
        return self._build(device, reads=True)

    def _build(self, device: str, reads: bool) -> Training:
        plugin = accelerate.DeepSpeedPlugin(hf_ds_config=self.config(reads))
        if self.processes[reads] == 1:
            alone()
        if device == "cpu":
            lift_deepspeed()
        accelerator = accelerate.Accelerator(deepspeed_plugin=plugin)
        model = self.model()
        loader = torch.utils.data.DataLoader(Samples(), batch_size=BATCH)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.9)
        engine, optimizer, loader, scheduler = accelerator.prepare(
            model, optimizer, loader, scheduler
        )
        return Training(accelerator, [engine], [optimizer], [scheduler], [loader])

    def verify(self, training: Training) -> None:
        got = stage_of(training.models[0])
        if got != self.stage:
            raise RuntimeError(
                f"asked for ZeRO-{self.stage} on {training.device}, accelerate made "
                f"{type(training.models[0]).__name__} of stage {got} of it"
            )
        if os.path.exists(compiled_here()):
            raise RuntimeError("DeepSpeed has compiled something, which no cell should wait for")

    def save(self, training: Training, parent: str) -> str:
        directory = super().save(training, parent)
        if self.universal:
            to_universal(directory)
        return directory

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        found = stored.stored(training, directory)
        if self.universal:
            return {**found, **universal_in_files(training, directory)}
        if self.components is WHOLE_ENGINE_COMPONENTS:
            return {**found, **whole_in_files(training, directory)}
        return {**found, **in_files(training, directory)}


scenario = Zero1
