"""Scenarios and loaders by name: a file of this package, or a user's `module:object`."""

from __future__ import annotations

import importlib
from typing import Any, Callable

from ckptmatrix.worker.training import Scenario


def find_scenario(source: str) -> Scenario:
    """The scenario named by `module:object` (a class, or an instance of one).

    What follows an `@` is handed to the class: `module:class@argument`.
    """
    source, _, argument = source.partition("@")
    found = _find(source)
    if argument:
        return found(argument)
    return found() if isinstance(found, type) else found


def find_loader(source: str) -> Callable[[Any, str], object]:
    """The loader named by `module:function`, called with an accelerator and a directory."""
    return _find(source)


def _find(source: str) -> Any:
    module, _, name = source.partition(":")
    return getattr(importlib.import_module(module), name)
