"""The stamp in an environment: what was installed, and what came of trying it on each hardware.

The files are the same whatever a training in them runs on, so there is one folder for all devices.
What fails on one of them says nothing of another.
"""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from ckptmatrix.model import EnvironmentRecord, EnvironmentStatus
from ckptmatrix.util.files import write_atomically

STAMP = "ckptmatrix.json"


@dataclass(frozen=True)
class Trial:
    """What came of starting a worker on some hardware."""

    device_name: str = ""
    """Name of the GPU; empty on the CPU."""
    reason: str = ""
    """Why it cannot be used there, one sentence; empty if it can."""
    gpu: str = ""
    """What keeps it from using the GPU, as `EnvironmentRecord.gpu`."""
    process_bytes: int = 0
    """What a process takes of the GPU's memory; 0 where that is not known."""
    process_seconds: float = 0.0
    """How long a process takes until the GPU has computed for it; 0 where that is not known."""


@dataclass(frozen=True)
class Stamp:
    """What is kept in an environment's folder."""

    record: EnvironmentRecord
    """What was installed, with the frozen list; ready once a worker started, on whatever device."""
    warm: tuple[str, ...] = ()
    """Modules to import at a worker's start."""
    rehearsed: bool = True
    """Whether the modules are its own; else another environment lent them."""
    trials: dict[str, Trial] = field(default_factory=dict)
    """`Site.hardware` -> what came of trying it there."""
    files: str = ""
    """Their state (`intact.py`) when each was what its package says."""

    @property
    def started(self) -> bool:
        """Whether a worker has ever started in it."""
        return self.record.status == EnvironmentStatus.READY

    def on(self, hardware: str) -> EnvironmentRecord | None:
        """The environment as it is on some hardware; None if it was not tried there."""
        trial = self.trials.get(hardware)
        if trial is None or not trial.reason:
            return self.record if trial else None
        status = EnvironmentStatus.UNAVAILABLE
        return replace(self.record, status=status, reason=trial.reason, gpu=trial.gpu)

    def with_trial(self, hardware: str, trial: Trial) -> "Stamp":
        """The stamp after a trial."""
        return replace(self, trials={**self.trials, hardware: trial})


def write_stamp(directory: Path, stamp: Stamp) -> None:
    """Keep a stamp."""
    write_atomically(directory / STAMP, msgspec.json.format(msgspec.json.encode(stamp)))


def read_stamp(directory: Path) -> Stamp | None:
    """The stamp of an environment; None if what lies there is not what it says."""
    try:
        stamp = msgspec.json.decode((directory / STAMP).read_bytes(), type=Stamp)
    except (OSError, msgspec.DecodeError):
        return None
    return stamp if _installed(directory) == _names(stamp.record.packages) else None


def _installed(directory: Path) -> set[str]:
    """`name-version` of what lies in it now, as the folders' names say."""
    places = directory.glob("lib/python*/site-packages/*.dist-info")
    return {_normal(place.name.removesuffix(".dist-info")) for place in places}


def _names(packages: tuple[str, ...]) -> set[str]:
    return {_normal(package.replace("==", "-")) for package in packages}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
