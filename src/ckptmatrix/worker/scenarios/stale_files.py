"""Saved twice into one directory, first as safetensors, then as `.bin`: which comes back.

`save_state` takes nothing away, so the older `model.safetensors` stays beside the newer
`pytorch_model.bin`; readers that know both formats look for safetensors first.
"""

from __future__ import annotations

import os
from typing import Any

from ckptmatrix.worker.release import accepts
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.stored import read, read_weights, stored
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part

FILES = {True: "model.safetensors", False: "pytorch_model.bin"}


class StaleFiles(Basic):
    """A `latest` directory that every epoch is saved into, while the format was changed."""

    formats = (True, False)
    """`safe_serialization` of the older and of the newer save."""

    def unsupported(self, device: str) -> str:
        if not accepts("save_state", "safe_serialization"):
            return "save_state has no safe_serialization, so it writes one format only"
        return ""

    def unsupported_reader(self, device: str) -> str:
        return ""

    def before(self, training: Training) -> None:
        self.epoch(training)
        self.older = {
            name: value.clone() for name, value in training.models[0].state_dict().items()
        }
        super().before(training)

    def save(self, training: Training, parent: str) -> str:
        directory = os.path.join(parent, "latest")
        newer = {name: value.clone() for name, value in training.models[0].state_dict().items()}
        older, last = self.formats
        # The older save differs in the weights alone; every other file is overwritten anyway.
        training.models[0].load_state_dict(self.older)
        training.accelerator.save_state(directory, safe_serialization=older)
        training.models[0].load_state_dict(newer)
        training.accelerator.save_state(directory, safe_serialization=last)
        missing = set(FILES.values()) - set(os.listdir(directory))
        if missing:
            raise RuntimeError(f"asked for weights in both formats, {missing} is not there")
        return directory

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        safe = self.formats[1]
        newest = (read_weights if safe else read)(os.path.join(directory, FILES[safe]))
        return {**stored(training, directory), Part.MODEL: {"0": newest}}


scenario = StaleFiles
