"""Why cells come out as they do: one file for each cause, found by being here.

A cause's explanation, remedy and links are written by hand; whether it explains a cell is decided
from what was measured there (what was raised, what was swallowed, which components came back).
The first that explains a cell wins, in the order of `rank`.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from packaging.version import Version

from ckptmatrix.model import (
    Cause,
    CellRecord,
    CheckpointRecord,
    EnvironmentRecord,
    Status,
    Verdict,
)


@dataclass(frozen=True)
class Evidence:
    """What was measured in a cell, with both its ends."""

    record: CellRecord
    """The outcome."""
    writer: EnvironmentRecord
    """Who saved."""
    reader: EnvironmentRecord
    """Who loaded."""
    checkpoint: CheckpointRecord
    """What was saved."""

    def raised(self, type_: str, text: str = "") -> bool:
        """Whether the load raised an exception of this type with this text in its message."""
        error = self.record.error
        return error is not None and error.type.endswith(type_) and text in error.message

    def swallowed(self, type_: str, text: str = "") -> bool:
        """Whether the load caught and only logged such an exception."""
        return any(e.type.endswith(type_) and text in e.message for e in self.record.swallowed)

    def named(self, verdict: Verdict) -> set[str]:
        """Components with this verdict in any process, without their ranks."""
        return {
            name.partition("@")[0]
            for name, found in self.record.components.items()
            if found == verdict
        }

    @property
    def numpy_majors_differ(self) -> bool:
        """Whether writer and reader have different major versions of numpy."""
        return self.writer.numpy.split(".")[0] != self.reader.numpy.split(".")[0]

    def reader_is(self, first: str, end: str = "99") -> bool:
        """Whether the reader's accelerate lies in `[first, end)`."""
        return Version(first) <= Version(self.reader.accelerate) < Version(end)

    def writer_is(self, first: str, end: str = "99") -> bool:
        """Whether the writer's accelerate lies in `[first, end)`."""
        return Version(first) <= Version(self.writer.accelerate) < Version(end)


@dataclass(frozen=True)
class KnownCause:
    """A cause and how to tell it."""

    cause: Cause
    """What a person is told."""
    explains: Callable[[Evidence], bool]
    """Whether it explains a cell."""
    rank: int = 50
    """Lower ones are asked first: a more particular cause goes before a more general one."""


@cache
def known_causes() -> dict[str, KnownCause]:
    """Cause id (the file's name with hyphens) -> cause, in the order in which they are asked."""
    found = {
        module.name.replace("_", "-"): importlib.import_module(f"{__name__}.{module.name}").known
        for module in pkgutil.iter_modules(__path__)
    }
    return dict(sorted(found.items(), key=lambda item: item[1].rank))


def cause_of(evidence: Evidence) -> str | None:
    """Id of the cause of an outcome; None if it is exact, or fits no known cause."""
    if evidence.record.status not in (Status.DEGRADED, Status.FAILED):
        return None
    for name, known in known_causes().items():
        if known.explains(evidence):
            return name
    return None
