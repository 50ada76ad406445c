"""Trainings by DeepSpeed whose checkpoints lack something when they are loaded. They run inside an
environment."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ckptmatrix import resume
from ckptmatrix.worker.scenarios.zero_1 import Zero1
from ckptmatrix.worker.scenarios.zero_2_universal_to_1 import Zero2UniversalTo1
from ckptmatrix.worker.training import Training

Load = Callable[[Any, str], object]


class _Changed(Zero1):
    """What is loaded is a copy, changed by the first process."""

    def change(self, directory: Path) -> None:
        raise NotImplementedError

    def load(self, training: Training, directory: str, load_state: Load) -> None:
        with tempfile.TemporaryDirectory() as place:
            copies = [str(Path(place, "checkpoint"))]
            if training.accelerator.is_main_process:
                shutil.copytree(directory, copies[0])
                self.change(Path(copies[0]))
            torch.distributed.broadcast_object_list(copies)
            try:
                super().load(training, copies[0], load_state)
            finally:
                torch.distributed.barrier()  # the copy is gone with the first process


class ShardGone(_Changed):
    """The part of the second process alone is missing."""

    def change(self, directory: Path) -> None:
        (directory / "pytorch_model" / "zero_pp_rank_1_mp_rank_00_optim_states.pt").unlink()


class AllGone(_Changed):
    """Nothing of DeepSpeed's is there."""

    def change(self, directory: Path) -> None:
        shutil.rmtree(directory / "pytorch_model")


class NothingFound(_Changed):
    """The script asks the engine for the latest checkpoint, and no file says which that is."""

    def change(self, directory: Path) -> None:
        (directory / "latest").unlink()

    def load(self, training: Training, directory: str, load_state: Load) -> None:
        engine = training.models[0]

        class Latest(type(engine)):  # type: ignore[misc]  # DeepSpeed's, not known here
            def load_checkpoint(self, load_dir: str, tag: str, **kwargs: Any) -> Any:
                return super().load_checkpoint(load_dir, **kwargs)

        engine.__class__ = Latest
        super().load(training, directory, load_state)


class NotUniversal(Zero2UniversalTo1):
    """The reader is told that it is universal, which it is not."""

    def save(self, training: Training, parent: str) -> str:
        self.universal = False
        try:
            return super().save(training, parent)
        finally:
            self.universal = True

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        self.universal = False
        try:
            return super().stored(training, directory)
        finally:
            self.universal = True


class StateGone(Zero2UniversalTo1):
    """Of one parameter in the universal form a moment is missing."""

    def load(self, training: Training, directory: str, load_state: Load) -> None:
        with tempfile.TemporaryDirectory() as place:
            copy = Path(shutil.copytree(directory, Path(place, "checkpoint")))
            (copy / "pytorch_model" / "zero" / "0.weight" / "exp_avg.pt").unlink()
            super().load(training, str(copy), load_state)


def told(accelerator: Any, directory: str) -> None:
    """A loader that raises what `resume.load_state` reports of the engine."""
    report = resume.load_state(accelerator, directory)
    parts = {name: report.components[name] for name in ("model", "optimizer")}
    raise RuntimeError("; ".join(f"{name} {p.status} {p.how}" for name, p in parts.items()))
