"""The remedies of a run, read cell by cell: a whole run of the default tier is too large to hold.

The run is the committed sample, or the matrix.json that CKPTMATRIX_MATRIX names.
"""

import gzip
import os
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import msgspec
from packaging.version import Version

from ckptmatrix.model import CheckpointRecord, EnvironmentRecord, ErrorRecord, Resume, Status
from tests.support.places import SAMPLE

GIVEN = os.environ.get("CKPTMATRIX_MATRIX")


class Cell(msgspec.Struct):
    """What the tests ask of a cell."""

    writer: str
    reader: str
    scenario: str
    loader: str
    treatment: str
    status: Status
    components: dict[str, str] = {}
    resume: Resume | None = None
    error: ErrorRecord | None = None
    cause: str | None = None
    reason: str = ""

    def named(self, *verdicts: str) -> set[str]:
        """Components with one of these verdicts, of any process."""
        return {n.partition("@")[0] for n, v in self.components.items() if v in verdicts}

    @property
    def differs_in(self) -> str:
        """The quantity in which the further training first differs."""
        first = self.resume.first_difference if self.resume else None
        return first.quantity if first else ""


class _Head(msgspec.Struct):
    environments: dict[str, EnvironmentRecord]
    checkpoints: tuple[CheckpointRecord, ...]


class Run:
    """A matrix.json of which no more than a line is held at a time."""

    def __init__(self, path: Path) -> None:
        packed = path / "matrix.json.gz" if path.is_dir() else path
        self.path = packed if packed.exists() else path / "matrix.json"

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as plain:
            zipped = plain.read(2) == b"\x1f\x8b"
        with gzip.open(self.path) if zipped else self.path.open("rb") as file:
            yield from file

    @cached_property
    def head(self) -> _Head:
        """What stands before the cells."""
        lines = []
        for line in self._lines():
            if line.startswith(b'"cells":'):
                break
            lines.append(line)
        return msgspec.json.decode(b"".join(lines).rstrip(b",\n ") + b"}", type=_Head)

    def cells(self, loader: str, treatment: str) -> Iterator[Cell]:
        """The cells of one remedy; each stands on a line of its own."""
        wanted = f'"loader":"{loader}","treatment":"{treatment}"'.encode()
        decode = msgspec.json.Decoder(Cell).decode
        for line in self._lines():
            if line.startswith(b'{"writer"') and wanted in line:
                yield decode(line.rstrip(b",\n"))

    def release(self, environment: str) -> Version:
        """The accelerate of an environment."""
        return Version(self.head.environments[environment].accelerate)


RUN = Run(Path(GIVEN or SAMPLE))

Excuse = Callable[[Cell], bool]
