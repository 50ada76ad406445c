"""Scenarios and loaders by name: a file of this package, or a user's `module:object`."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ckptmatrix.worker.training import Scenario


def find_scenario(source: str) -> Scenario:
    """The scenario named by `module:object` (a class, or an instance of one).

    What follows an `@` is handed to the class: `module:class@argument`.
    """
    source, _, argument = source.partition("@")
    found: Any = _find(source)
    made = found(argument) if argument else found() if isinstance(found, type) else found
    scenario: Scenario = made
    return scenario


def find_loader(source: str) -> Callable[[Any, str], object]:
    """The loader named by `module:function`, called with an accelerator and a directory."""
    function: Callable[[Any, str], object] = _find(source)
    return function


def _find(source: str) -> Any:
    module, _, name = source.partition(":")
    return getattr(importlib.import_module(module), name)
