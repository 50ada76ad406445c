"""An environment that was built, and the stamp beside it that says what it is."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec

from ckptmatrix.environments.bundle import make_bundle
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.model import Device, Environment, EnvironmentRecord, EnvironmentStatus
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import digest

STAMP = "ckptmatrix.json"


@dataclass(frozen=True)
class Installation:
    """An environment that can be used, or the reason why it cannot."""

    environment: Environment
    """What was asked for."""
    record: EnvironmentRecord
    """What was installed."""
    directory: Path
    """Its folder."""
    warm: tuple[str, ...] = ()
    """Modules that its workers import at their start."""
    device_name: str = ""
    """Name of the GPU it sees; empty on the CPU."""
    rehearsed: bool = True
    """Whether `warm` is its own; else it is another environment's, which comes near it."""

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return self.record.status == EnvironmentStatus.READY

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @cached_property
    def frozen(self) -> str:
        """Digest of everything installed in it."""
        return digest(self.record.python, self.record.packages)

    def start(self, site: Site) -> Worker:
        """Start a worker in it; the first one after it was built completes `warm`."""
        log = site.home.logs / f"{self.environment.short}.log"
        bundle, paths = make_bundle(site.home.bundles), (site.config.root,)
        worker = Worker(self.python, bundle, log, site.device, paths, self.warm, not self.rehearsed)
        if self.ready and not self.rehearsed:
            keep(replace(self, warm=worker.introduction.warm, rehearsed=True), site.device)
        return worker


def unavailable(environment: Environment, directory: Path, reason: str) -> Installation:
    """One that cannot be had, and why."""
    record = EnvironmentRecord(
        environment.accelerate, environment.stack, EnvironmentStatus.UNAVAILABLE, reason=reason
    )
    return Installation(environment, record, directory)


@dataclass(frozen=True)
class _InstallationStamp:
    """What is kept beside an environment."""

    record: EnvironmentRecord
    """What was installed, with the frozen list."""
    warm: tuple[str, ...]
    """Modules to import at a worker's start."""
    device: Device
    """Where it was tried."""
    device_name: str
    """Name of the GPU."""
    rehearsed: bool = True
    """Whether the modules are its own."""


def keep(built: Installation, device: Device) -> None:
    """Write its stamp."""
    stamp = _InstallationStamp(built.record, built.warm, device, built.device_name, built.rehearsed)
    write_atomically(built.directory / STAMP, msgspec.json.format(msgspec.json.encode(stamp)))


def _kept(directory: Path) -> _InstallationStamp | None:
    try:
        return msgspec.json.decode((directory / STAMP).read_bytes(), type=_InstallationStamp)
    except (OSError, msgspec.DecodeError):
        return None


def lent_by(donor: Path, environment: Environment) -> tuple[str, ...]:
    """The modules of another environment of the stack: most are torch's, and the same."""
    stamp = _kept(donor)
    return stamp.warm if stamp and stamp.record.stack == environment.stack else ()


def reusable(environment: Environment, directory: Path, device: Device) -> Installation | None:
    """What lies there, if it is still what its stamp says."""
    stamp = _kept(directory)
    if stamp is None or stamp.device != device:
        return None
    if _installed(directory) != _names(stamp.record.packages):
        return None
    named = stamp.device_name
    return Installation(environment, stamp.record, directory, stamp.warm, named, stamp.rehearsed)


def _installed(directory: Path) -> set[str]:
    """`name-version` of what lies in it now, as the folders' names say."""
    places = directory.glob("lib/python*/site-packages/*.dist-info")
    return {_normal(place.name.removesuffix(".dist-info")) for place in places}


def _names(packages: tuple[str, ...]) -> set[str]:
    return {_normal(package.replace("==", "-")) for package in packages}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
