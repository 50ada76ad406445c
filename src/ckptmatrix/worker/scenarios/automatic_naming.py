"""`automatic_checkpoint_naming` with a limit of 3, resumed by `load_state()` without a directory.

The counter that names the checkpoints is not saved: after a resume it starts at 0 again, so further
saves take the names of old ones, delete the wrong ones, or raise. What is there after each of
them is compared, beside the training.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, Callable

from accelerate import utils

from ckptmatrix.worker.components import COMPONENTS, Component
from ckptmatrix.worker.release import defaults_to, new_accelerator
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.stored import stored
from ckptmatrix.worker.training import Training

LIMIT = 3
SAVES_BEFORE, SAVES_AFTER = 4, 3


def _folder(training: Training) -> str:
    return os.path.join(training.accelerator.project_dir, "checkpoints")


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


class Naming(Component):
    """The counter of saves, and the checkpoints that are there."""

    name = "naming"

    def capture(self, training: Training) -> Any:
        counter = training.accelerator.project_configuration.iteration
        return {"names": _names(_folder(training)), "iteration": counter}

    def inject(self, training: Training, value: Any) -> None:
        for name in value["names"]:
            os.makedirs(os.path.join(_folder(training), name))
        training.accelerator.project_configuration.iteration = value["iteration"]


class AutomaticNaming(Basic):
    """A script that saves after every epoch and keeps three checkpoints."""

    components = (*COMPONENTS, Naming())

    def unsupported(self, device: str) -> str:
        if not hasattr(utils, "ProjectConfiguration"):
            return "it has no automatic naming (0.16.0 is the first that has)"
        return ""

    def unsupported_reader(self, device: str) -> str:
        if not defaults_to("load_state", "input_dir", None):
            return "its load_state needs a directory (0.22.0 is the first that takes the latest)"
        return self.unsupported(device)

    def accelerator(self, device: str) -> Any:
        config = utils.ProjectConfiguration(
            project_dir=tempfile.mkdtemp(), automatic_checkpoint_naming=True, total_limit=LIMIT
        )
        return new_accelerator(device, project_config=config)

    def before(self, training: Training) -> None:
        for _ in range(SAVES_BEFORE):
            super().before(training)
            training.accelerator.save_state()

    def save(self, training: Training, parent: str) -> str:
        """The latest of the saves, with the others beside it, away from where training goes on."""
        shutil.copytree(training.accelerator.project_dir, os.path.join(parent, "project"))
        folder = os.path.join(parent, "project", "checkpoints")
        return os.path.join(folder, f"checkpoint_{SAVES_BEFORE - 1}")

    def load(self, training: Training, directory: str, load_state: Callable[..., object]) -> None:
        shutil.copytree(os.path.dirname(directory), _folder(training))
        try:
            load_state(training.accelerator, None)
        except Exception:
            shutil.rmtree(training.accelerator.project_dir)
            raise

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        names = _names(os.path.dirname(directory))
        return {**stored(training, directory), "naming": {"names": names}}

    def after(self, training: Training) -> list[dict[str, Any]]:
        try:
            return [record for _ in range(SAVES_AFTER) for record in self.saved_epoch(training)]
        finally:
            shutil.rmtree(training.accelerator.project_dir)

    def saved_epoch(self, training: Training) -> list[dict[str, Any]]:
        """One epoch and a save, with what is there after it."""
        records = self.epoch(training)
        try:
            training.accelerator.save_state()
        except ValueError:  # "already exists": a script would end here
            records[-1]["saved"] = "the name is taken"
        records[-1]["checkpoints"] = _names(_folder(training))
        return records


scenario = AutomaticNaming
