"""The loader that everybody has: `Accelerator.load_state`."""

from __future__ import annotations

from typing import Any


def load_state(accelerator: Any, directory: str) -> None:
    """Load as a training script does."""
    accelerator.load_state(directory)
