"""Two processes, of which only the main one calls `save_state`, as kohya's sd-scripts do.

The other's generators and its counter of steps are in no file.
"""

from __future__ import annotations

import os

from ckptmatrix.worker.scenarios.ddp_2 import Ddp2
from ckptmatrix.worker.training import Training


class Ddp2MainOnly(Ddp2):
    """Saved inside `if accelerator.is_main_process`."""

    def save(self, training: Training, parent: str) -> str:
        directory = os.path.join(parent, "checkpoint")
        if training.accelerator.is_main_process:
            training.accelerator.save_state(directory)
        training.accelerator.wait_for_everyone()
        return directory


scenario = Ddp2MainOnly
