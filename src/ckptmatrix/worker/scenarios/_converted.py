"""Where DeepSpeed's converter works.

It takes the path of what it converts for a part of a regular expression, so none may be in it that
means something there; the folders of environments have a `+` in their names.
"""

from __future__ import annotations

import os
import shutil
import tempfile

import torch

from ckptmatrix.worker.training import Scenario, Training


class Converted(Scenario):
    """Goes before a scenario that saves: it does so in a temporary place."""

    def save(self, training: Training, parent: str) -> str:
        main = training.accelerator.is_main_process
        places = [tempfile.mkdtemp() if main else ""]
        torch.distributed.broadcast_object_list(places)
        try:
            try:
                made = super().save(training, places[0])
            finally:
                torch.distributed.barrier()  # each process saves files of its own there
            directory = os.path.join(parent, os.path.relpath(made, places[0]))
            if main:
                shutil.move(made, directory)
        finally:
            if main:
                shutil.rmtree(places[0], ignore_errors=True)
        return directory
