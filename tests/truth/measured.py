"""The remedies of a run, cell by cell.

The run is the committed sample, or the matrix.json that CKPTMATRIX_MATRIX names.
"""

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

from packaging.version import Version

from ckptmatrix.model import CellRecord, Matrix
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import SAMPLE

GIVEN = os.environ.get("CKPTMATRIX_MATRIX")


class Cell:
    """A cell, and what the tests ask of it."""

    def __init__(self, record: CellRecord) -> None:
        self.writer = record.writer
        self.reader = record.reader
        self.scenario = record.scenario
        self.status = record.status
        self.components = record.components
        self.resume = record.resume
        self.error = record.error
        self.cause = record.cause
        self.reason = record.reason

    def named(self, *verdicts: str) -> set[str]:
        """Components with one of these verdicts, of any process."""
        return {n.partition("@")[0] for n, v in self.components.items() if v in verdicts}

    @property
    def differs_in(self) -> str:
        """The quantity in which the further training first differs."""
        first = self.resume.first_difference if self.resume else None
        return first.quantity if first else ""


class Run:
    """A run, read when it is first asked."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def head(self) -> Matrix:
        """The run itself."""
        return read_matrix(self.path)

    def cells(self, loader: str, treatment: str) -> Iterator[Cell]:
        """The cells of one remedy."""
        for record in self.head.cells:
            if (record.loader, record.treatment) == (loader, treatment):
                yield Cell(record)

    def release(self, environment: str) -> Version:
        """The accelerate of an environment."""
        return Version(self.head.environments[environment].accelerate)


RUN = Run(Path(GIVEN or SAMPLE))

Excuse = Callable[[Cell], bool]
