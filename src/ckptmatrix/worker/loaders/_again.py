"""A hop: load as everybody does, and save again at once. No loader under test: hence `_`."""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.loaders import accelerate


def load_and_save(accelerator: Any, directory: str, **arguments: Any) -> None:
    """Load a checkpoint, then save what was loaded beside it, as `DIRECTORY.again`."""
    accelerate.load_state(accelerator, directory, **arguments)
    accelerator.save_state(directory + ".again")
