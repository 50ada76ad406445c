"""An environment on a device: it can be used there and lends workers, or it cannot and says why."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from filelock import FileLock

from ckptmatrix.environments.bundle import make_bundle
from ckptmatrix.environments.gpu_turns import GpuTurns
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.stamp import Stamp, read_stamp, write_stamp
from ckptmatrix.environments.worker_process import Worker, WorkerError
from ckptmatrix.model import Device, Environment, EnvironmentRecord, EnvironmentStatus
from ckptmatrix.util.home import digest


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
    hardware: str = "cpu"
    """The hardware that it runs on, as far as outcomes depend on it."""
    process_bytes: int = 0
    """What a process takes of the GPU's memory; 0 where that is not known."""
    process_seconds: float = 0.0
    """How long a process takes until the GPU has computed for it; 0 where that is not known."""

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
        """Start a worker in it; the first one after it was built completes `warm`.

        Raises:
            WorkerError: it does not start, or the GPU cannot be used any more.
        """
        turns = None
        if site.gpus and site.device(self.environment) is not Device.CPU:
            turns = GpuTurns.of(site.home, site.gpus, self.process_bytes)
        worker = start_worker(
            self.environment, self.directory, site, self.warm, self.rehearsed, turns
        )
        gpu = worker.introduction.gpu
        if gpu and gpu.problem:
            worker.close()
            raise WorkerError(f"{self.environment.id} cannot use the GPU any more: {gpu.text}")
        if not self.rehearsed:
            _complete(self.directory, worker.introduction.warm)
        return worker


def start_worker(
    environment: Environment,
    directory: Path,
    site: Site,
    warm: tuple[str, ...],
    rehearsed: bool,
    turns: GpuTurns | None = None,
) -> Worker:
    """Start a worker in an environment's folder.

    Args:
        environment: what lies there.
        directory: its folder.
        site: on which device, and where the project is.
        warm: modules to import.
        rehearsed: whether these are all; else it finds out what is missing.
        turns: when it may use a GPU, and which; None if it is not asked to.

    Raises:
        WorkerError: it does not start.
    """
    log = site.home.logs / f"{environment.short}.log"
    bundle, paths = make_bundle(site.home.bundles), (site.config.root,)
    python, device = directory / "bin" / "python", site.device(environment)
    return Worker(python, bundle, log, device, paths, warm, not rehearsed, turns)


def _complete(directory: Path, warm: tuple[str, ...]) -> None:
    """Keep the modules that a worker of its own found."""
    with lock_of(directory):
        stamp = read_stamp(directory)
        if stamp:
            write_stamp(directory, replace(stamp, warm=warm, rehearsed=True))


def lock_of(directory: Path) -> FileLock:
    """Held while an environment or its stamp changes; beside it, since homes may share them."""
    return FileLock(f"{directory}.lock")


def as_stamped(
    environment: Environment, directory: Path, stamp: Stamp, site: Site
) -> Installation | None:
    """The environment on the site's hardware, by its stamp; None if it was not tried there."""
    hardware = site.hardware(environment)
    record = stamp.on(hardware)
    if record is None:
        return None
    trial, device = stamp.trials[hardware], site.device(environment)
    return Installation(
        environment,
        replace(record, stack=environment.stack, device=device),
        directory,
        stamp.warm,
        trial.device_name,
        stamp.rehearsed,
        hardware,
        trial.process_bytes,
        trial.process_seconds,
    )


def unavailable(
    environment: Environment, directory: Path, reason: str, device: Device
) -> Installation:
    """One that cannot be had on any device, and why."""
    record = EnvironmentRecord(
        environment.accelerate,
        environment.stack,
        EnvironmentStatus.UNAVAILABLE,
        reason=reason,
        device=device,
    )
    return Installation(environment, record, directory)
