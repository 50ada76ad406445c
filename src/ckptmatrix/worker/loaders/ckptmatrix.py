"""The loader that this project ships: `ckptmatrix.resume.load_state`, as a script would call it."""

from __future__ import annotations

from typing import Any

from ckptmatrix import resume


def load_state(accelerator: Any, directory: str) -> None:
    """Load, and raise if anything was lost."""
    resume.load_state(accelerator, directory)
