"""Loads whose outcome is known beforehand: they judge the judge."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from typing import TYPE_CHECKING

from ckptmatrix.worker.alterations import apply
from ckptmatrix.worker.measuring import LoadFunction, inject, loader_under_test, truth_for
from ckptmatrix.worker.words import ControlKind

if TYPE_CHECKING:
    from ckptmatrix.worker.neutral import Neutral
    from ckptmatrix.worker.protocol import LoadAltered
    from ckptmatrix.worker.training import Scenario, Training


class NotAlteredError(BaseException):
    """A checkpoint could not be altered. Nothing that catches what a load raises may catch it."""


def control(kind: ControlKind, truths: list[Neutral]) -> LoadFunction:
    """The load of a control.

    Args:
        kind: which control.
        truths: the captured state of each of the writer's processes.
    """
    return partial(_perfect, truths) if kind is ControlKind.PERFECT else _nothing


def altered(request: LoadAltered) -> LoadFunction:
    """The loader under test, on a copy of the checkpoint with one place changed."""
    return partial(_altered, request)


def _nothing(scenario: Scenario, training: Training, directory: str) -> None:
    pass


def _perfect(truths: list[Neutral], scenario: Scenario, training: Training, directory: str) -> None:
    inject(scenario, training, truth_for(scenario, truths, training.accelerator.process_index))


def _altered(request: LoadAltered, scenario: Scenario, training: Training, directory: str) -> None:
    written = os.path.dirname(request.case.truth)
    with tempfile.TemporaryDirectory() as place:
        whole = shutil.copytree(written, os.path.join(place, "written"))
        copy = os.path.join(whole, os.path.relpath(directory, written))
        try:
            apply(request.alteration, copy, request.other)
        except Exception as error:
            raise NotAlteredError(f"{request.alteration} cannot be made: {error!r}") from error
        loader_under_test(request.loader)(scenario, training, copy)
