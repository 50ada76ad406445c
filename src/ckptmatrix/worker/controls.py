"""Loads whose outcome is known beforehand: they judge the judge."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial

from ckptmatrix.worker.alterations import alter
from ckptmatrix.worker.measuring import Load, inject, loader_under_test, truth_for
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.training import Scenario, Training


def control(name: str, loader: str, truths: list[Neutral]) -> Load:
    """The load of a control.

    Args:
        name: `nothing` (a load that does nothing), `perfect` (the truth is put in directly), or
            `altered COMPONENT` (the loader under test, on a copy with that component changed).
        loader: the loader under test, `module:function`.
        truths: the captured state of each of the writer's processes.
    """
    if name == "nothing":
        return lambda scenario, training, directory: None
    if name == "perfect":
        return partial(_perfect, truths)
    return _altered(name.partition(" ")[2], loader_under_test(loader))


def _perfect(truths: list[Neutral], scenario: Scenario, training: Training, directory: str) -> None:
    rank = training.accelerator.process_index
    inject(scenario, training, truth_for(scenario, truths, rank))


def _altered(component: str, load: Load) -> Load:
    def on_a_copy(scenario: Scenario, training: Training, directory: str) -> None:
        with tempfile.TemporaryDirectory() as place:
            copy = os.path.join(place, os.path.basename(directory))
            shutil.copytree(directory, copy)
            if not alter(copy, component):
                raise LookupError(f"the checkpoint has nothing of {component} to alter")
            load(scenario, training, copy)

    return on_a_copy
