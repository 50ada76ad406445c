"""Loads whose outcome is known beforehand: they judge the judge."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

from ckptmatrix.worker.alterations import Alteration, apply
from ckptmatrix.worker.measuring import Load, inject, loader_under_test, truth_for

if TYPE_CHECKING:
    from ckptmatrix.worker.neutral import Neutral
    from ckptmatrix.worker.training import Scenario, Training


class NotAlteredError(BaseException):
    """A checkpoint could not be altered. Nothing that catches what a load raises may catch it."""


def control(request: dict[str, Any], truths: list[Neutral]) -> Load:
    """The load of a control.

    Args:
        request: `control`: `nothing` (a load that does nothing), `perfect` (the truth is put in
            directly), or `altered` (the loader under test, on a copy of the checkpoint with the
            change that `alteration` says; `other` is a checkpoint of another run).
        truths: the captured state of each of the writer's processes.
    """
    if request["control"] == "nothing":
        return _nothing
    if request["control"] == "perfect":
        return partial(_perfect, truths)
    return partial(_altered, request)


def _nothing(scenario: Scenario, training: Training, directory: str) -> None:
    pass


def _perfect(truths: list[Neutral], scenario: Scenario, training: Training, directory: str) -> None:
    inject(scenario, training, truth_for(scenario, truths, training.accelerator.process_index))


def _altered(
    request: dict[str, Any], scenario: Scenario, training: Training, directory: str
) -> None:
    alteration = Alteration(**request["alteration"])
    written = os.path.dirname(request["truth"])
    with tempfile.TemporaryDirectory() as place:
        whole = shutil.copytree(written, os.path.join(place, "written"))
        copy = os.path.join(whole, os.path.relpath(directory, written))
        try:
            apply(alteration, copy, request.get("other", ""))
        except Exception as error:
            raise NotAlteredError(f"{alteration} cannot be made: {error!r}") from error
        loader_under_test(request["loader"])(scenario, training, copy)
