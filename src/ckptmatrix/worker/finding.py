"""Scenarios and loaders by name: a file of this package, or a user's `module:object`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ckptmatrix.worker.script import Script
from ckptmatrix.worker.training import Scenario


def find_scenario(source: str) -> Scenario:
    """The scenario named by `module:object`: a class, an instance of one, or a script's function.

    What follows an `@` is handed to the class: `module:class@argument`.
    """
    source, _, argument = source.partition("@")
    found: Any = _find(source)
    if isinstance(found, type):
        if not issubclass(found, Scenario):
            raise TypeError(
                f"{source} is no scenario: name a function that yields at its saves, or a class "
                "derived from ckptmatrix.worker.training.Scenario"
            )
        return found(argument) if argument else found()  # type: ignore[call-arg]  # what it takes
    if isinstance(found, Scenario):
        return found
    if not callable(found):
        raise TypeError(f"{source} is neither a scenario nor a function that yields at its saves")
    return Script(found)


def find_loader(source: str) -> Callable[[Any, str], object]:
    """The loader named by `module:function`, called with an accelerator and a directory."""
    function: Callable[[Any, str], object] = _find(source)
    return function


def _find(source: str) -> Any:
    module, _, name = source.partition(":")
    return getattr(importlib.import_module(module), name)
