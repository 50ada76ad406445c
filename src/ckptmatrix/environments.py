"""Environments: built by uv, resolved, recorded by their frozen list, reused while that holds.

uv hard-links from its cache, so torch's files exist once however many environments there are.
"""

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path

import msgspec
from filelock import FileLock

from ckptmatrix.bytecode import borrow
from ckptmatrix.files import write_atomically
from ckptmatrix.home import Home, digest
from ckptmatrix.index import uv_settings
from ckptmatrix.installing import InstallError, frozen, install
from ckptmatrix.model import Environment, EnvironmentRecord, Stack
from ckptmatrix.parallel import side_by_side
from ckptmatrix.sources import make_bundle
from ckptmatrix.workers import Worker, WorkerError

_RECIPE = 1
"""Raised when environments are made otherwise than before, so that old ones are not reused."""

_STAMP = "ckptmatrix.json"


@dataclass(frozen=True)
class Built:
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

    @property
    def ready(self) -> bool:
        """Whether it can be used."""
        return self.record.status == "ready"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @cached_property
    def frozen(self) -> str:
        """Digest of everything installed in it."""
        return digest(self.record.python, self.record.packages)

    def start(self, home: Home, device: str, paths: tuple[Path, ...] = ()) -> Worker:
        """Start a worker in it."""
        log = home.logs / f"{self.environment.short}.log"
        return Worker(
            self.python, make_bundle(home.bundles), log, device, paths, list(self.warm) or None
        )


def build_all(
    environments: Iterable[Environment],
    stacks: dict[str, Stack],
    home: Home,
    device: str,
    done: Callable[[Built], None] = lambda built: None,
    jobs: int | None = None,
    pins: Mapping[Environment, tuple[str, ...]] | None = None,
) -> dict[Environment, Built]:
    """Build, or reuse, environments side by side.

    Args:
        environments: what to build.
        stacks: name -> stack.
        home: where they lie.
        device: `cpu` or `cuda`, on which each is tried once after it is built.
        done: called with each as it is ready.
        jobs: how many at a time; as many as there are cores by default.
        pins: what to install of all that is not asked for by name, `name==version`.
    """
    settings = {**os.environ, **uv_settings(os.environ)}

    def one(environment: Environment) -> Built:
        stack = stacks[environment.stack]
        pinned = (pins or {}).get(environment, ())
        built = build(environment, stack, home, device, settings, retry=True, pins=pinned)
        done(built)
        return built

    found = side_by_side(one, _by_turns(environments), jobs or os.cpu_count() or 1)
    return {built.environment: built for built in found}


def _by_turns(environments: Iterable[Environment]) -> list[Environment]:
    """One of each stack, then another of each: the later ones borrow what the first compiled."""
    before = Counter[str]()
    turns = []
    for environment in environments:
        turns.append((before[environment.stack], environment))
        before[environment.stack] += 1
    return [environment for _, environment in sorted(turns, key=itemgetter(0))]


def build(
    environment: Environment,
    stack: Stack,
    home: Home,
    device: str,
    settings: dict[str, str] | None = None,
    retry: bool = False,
    pins: tuple[str, ...] = (),
) -> Built:
    """Build one environment, or reuse it if it is still what its stamp says.

    Args:
        environment: what to build.
        stack: its stack.
        home: where it lies.
        device: `cpu` or `cuda`, on which it is tried once after it is built.
        settings: variables for uv; found out by default.
        retry: try again what could not be built before.
        pins: versions to keep to, for an environment that another machine built already.
    """
    found = find_built(environment, stack, home, device)
    if found and (found.ready or not retry):
        return found
    directory = _directory(environment, stack, home)
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Two runs may want it at the same time. The lock lies beside it: homes may share environments.
    with FileLock(f"{directory}.lock"):
        found = find_built(environment, stack, home, device)
        if found and (found.ready or not retry):
            return found
        return _build(environment, stack, home, device, settings, pins)


def _build(
    environment: Environment,
    stack: Stack,
    home: Home,
    device: str,
    settings: dict[str, str] | None,
    pins: tuple[str, ...],
) -> Built:
    directory = _directory(environment, stack, home)
    refused = _refusal(directory)
    if settings is None:
        settings = {**os.environ, **uv_settings(os.environ)}
    shutil.rmtree(directory, ignore_errors=True)
    try:
        added = install(environment, stack, directory, settings, pins)
        donor = _donor(environment, stack, home)
        if donor:
            borrow(directory, donor)
        built = _verified(environment, directory, frozen(directory, settings), added, home, device)
    except InstallError as error:
        shutil.rmtree(directory, ignore_errors=True)
        write_atomically(refused, str(error).encode())
        return _unavailable(environment, directory, str(error))
    refused.unlink(missing_ok=True)
    write_atomically(
        directory / _STAMP, msgspec.json.format(msgspec.json.encode(_stamp(built, device)))
    )
    return built


def find_built(environment: Environment, stack: Stack, home: Home, device: str) -> Built | None:
    """What an earlier run left: the environment, or why it could not be had; None if neither."""
    directory = _directory(environment, stack, home)
    found = _reusable(environment, directory, device)
    if found is None and _refusal(directory).exists():
        reason = _refusal(directory).read_text(encoding="utf-8")
        return _unavailable(environment, directory, reason)
    return found


def _directory(environment: Environment, stack: Stack, home: Home) -> Path:
    key = digest(_RECIPE, stack.python, stack.packages, environment.accelerate)
    return home.environments / f"{environment.id}-{key[:8]}"


def _donor(environment: Environment, stack: Stack, home: Home) -> Path | None:
    """An environment that has been started before, one of the stack's if there is; else None."""
    own = _directory(environment, stack, home)
    stamps = [s for s in home.environments.glob(f"accelerate-*/{_STAMP}") if s.parent != own]
    # Its bytecode is good where it has the same files: two stacks with one torch share most.
    return max(
        (stamp.parent for stamp in stamps),
        key=lambda place: f"+{environment.stack}-" in place.name,
        default=None,
    )


def _refusal(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.unavailable")


def _unavailable(environment: Environment, directory: Path, reason: str) -> Built:
    record = EnvironmentRecord(
        environment.accelerate, environment.stack, "unavailable", reason=reason
    )
    return Built(environment, record, directory)


@dataclass(frozen=True)
class _Stamp:
    """What is kept beside an environment."""

    record: EnvironmentRecord
    """What was installed, with the frozen list."""
    warm: tuple[str, ...]
    """Modules to import at a worker's start."""
    device: str
    """Device that it was tried on."""
    device_name: str
    """Name of the GPU."""


def _stamp(built: Built, device: str) -> _Stamp:
    return _Stamp(built.record, built.warm, device, built.device_name)


def _reusable(environment: Environment, directory: Path, device: str) -> Built | None:
    try:
        stamp = msgspec.json.decode((directory / _STAMP).read_bytes(), type=_Stamp)
    except (OSError, msgspec.DecodeError):
        return None
    if stamp.device != device or _installed(directory) != _names(stamp.record.packages):
        return None
    return Built(environment, stamp.record, directory, stamp.warm, stamp.device_name)


def _installed(directory: Path) -> set[str]:
    """`name-version` of what lies in it now, as the folders' names say."""
    places = directory.glob("lib/python*/site-packages/*.dist-info")
    return {_normal(place.name.removesuffix(".dist-info")) for place in places}


def _names(packages: tuple[str, ...]) -> set[str]:
    return {_normal(package.replace("==", "-")) for package in packages}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _verified(
    environment: Environment,
    directory: Path,
    packages: tuple[str, ...],
    added: str,
    home: Home,
    device: str,
) -> Built:
    """Start a worker in it once: it imports, and says what it is."""
    empty = EnvironmentRecord(environment.accelerate, environment.stack, "unavailable")
    try:
        with Built(environment, empty, directory).start(home, device) as worker:
            hello = worker.hello.value
    except WorkerError as error:
        raise InstallError(f"it was installed but does not start: {error.message}") from None
    record = EnvironmentRecord(
        hello["accelerate"],
        environment.stack,
        "ready",
        hello["python"],
        hello["torch"],
        hello["numpy"],
        hello["safetensors"],
        reason=added,
        packages=packages,
    )
    return Built(environment, record, directory, tuple(hello["warm"]), hello["device_name"])
