"""Runs inside an environment: where pieces of `resume` put their files, and how they answer."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

FOLDER = Path(tempfile.mkdtemp())


def raised(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """The error, without the path of the temporary folder."""
    try:
        return ["no error", repr(function(*arguments, **keywords))]
    except Exception as error:  # noqa: BLE001 - whatever it raises is the result
        return [type(error).__name__, str(error).replace(f"{FOLDER}/", "")]


def saved(name: str, value: Any) -> Any:
    torch.save(value, FOLDER / name)
    return FOLDER / name


def answer(*pieces: Callable[[], Any]) -> None:
    """Print name -> result, as JSON."""
    with contextlib.redirect_stdout(sys.stderr):
        answers = {piece.__name__: piece() for piece in pieces}
    print(json.dumps(answers))
