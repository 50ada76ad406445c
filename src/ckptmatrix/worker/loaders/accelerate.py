"""The loader that everybody has: `Accelerator.load_state`."""

from __future__ import annotations

from typing import Any


def load_state(accelerator: Any, directory: str | None, **arguments: Any) -> None:
    """Load as a training script does.

    Args:
        accelerator: the script's `Accelerator`.
        directory: the checkpoint; None for the latest of automatic naming.
        arguments: what the script hands on to the model's `load_state_dict`, such as `strict`.
    """
    accelerator.load_state(directory, **arguments)
