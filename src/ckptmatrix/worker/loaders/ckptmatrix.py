"""The loader that this project ships: `ckptmatrix.resume.load_state`, as a script would call it."""

from __future__ import annotations

from typing import Any

from ckptmatrix import resume


def load_state(accelerator: Any, directory: str | None, **arguments: Any) -> None:
    """Load, and raise if anything was lost; `strict` is the model's here too."""
    if "strict" in arguments:
        arguments["model_strict"] = arguments.pop("strict")
    resume.load_state(accelerator, directory, **arguments)
