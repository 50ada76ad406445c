"""Import in the worker what its children would import, each anew."""

from __future__ import annotations

import gc
import importlib
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress

from ckptmatrix.worker import writing
from ckptmatrix.worker.forking import run_forked
from ckptmatrix.worker.launching import Ranks
from ckptmatrix.worker.protocol import Returned
from ckptmatrix.worker.release import unusable_on
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.words import Device

_REHEARSAL_SECONDS = 300


def warm(modules: tuple[str, ...], rehearse: bool) -> tuple[str, ...]:
    """Import what a save and a load import lazily.

    Args:
        modules: names found by an earlier worker.
        rehearse: let a child rehearse a whole cell, to find what is missing.

    Returns:
        All names.
    """
    import_all(modules)
    if not rehearse:
        return modules
    known = set(sys.modules)
    rehearsed = run_forked(lambda: _rehearse(known), _REHEARSAL_SECONDS)
    missing = rehearsed.value if isinstance(rehearsed, Returned) else ()
    import_all(missing)
    return (*modules, *missing)


def import_all(modules: Iterable[str]) -> None:
    """Import those that can be."""
    gc.disable()
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001 - only speed is at stake: a child imports what it needs
            continue
    gc.enable()


def _rehearse(known: set[str]) -> tuple[str, ...]:
    """Names of the modules that a whole cell imports, in the order of import."""
    if not unusable_on(Device.CPU):
        scenario = Basic()
        with tempfile.TemporaryDirectory() as place:
            training = writing.build(scenario, Device.CPU, 0, Ranks())
            scenario.before(training)
            directory = scenario.save(training, place)
            with suppress(Exception):  # what it imported before it failed is what counts
                training.accelerator.load_state(directory)
    return tuple(name for name in list(sys.modules) if name not in known)
