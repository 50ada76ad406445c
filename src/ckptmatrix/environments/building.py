"""Environments: built by uv, resolved, recorded by their frozen list, reused while that holds.

uv hard-links from its cache, so torch's files exist once however many environments there are.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from pathlib import Path

from filelock import FileLock

from ckptmatrix.environments.bytecode import borrow
from ckptmatrix.environments.index import uv_settings
from ckptmatrix.environments.installation import STAMP, Built, keep, lent_by, reusable, unavailable
from ckptmatrix.environments.uv import InstallError, frozen, install
from ckptmatrix.environments.worker_process import WorkerError
from ckptmatrix.model import Environment, EnvironmentRecord, Stack
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home, digest
from ckptmatrix.util.parallel import side_by_side

_RECIPE = 1
"""Raised when environments are made otherwise than before, so that old ones are not reused."""


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
        lent = lent_by(donor, environment) if donor else ()
        packages = frozen(directory, settings)
        built = _verified(environment, directory, packages, added, home, device, lent)
    except InstallError as error:
        shutil.rmtree(directory, ignore_errors=True)
        write_atomically(refused, str(error).encode())
        return unavailable(environment, directory, str(error))
    refused.unlink(missing_ok=True)
    keep(built, device)
    return built


def find_built(environment: Environment, stack: Stack, home: Home, device: str) -> Built | None:
    """What an earlier run left: the environment, or why it could not be had; None if neither."""
    directory = _directory(environment, stack, home)
    found = reusable(environment, directory, device)
    if found is None and _refusal(directory).exists():
        reason = _refusal(directory).read_text(encoding="utf-8")
        return unavailable(environment, directory, reason)
    return found


def _directory(environment: Environment, stack: Stack, home: Home) -> Path:
    key = digest(_RECIPE, stack.python, stack.packages, environment.accelerate)
    return home.environments / f"{environment.id}-{key[:8]}"


def _donor(environment: Environment, stack: Stack, home: Home) -> Path | None:
    """An environment that has been started before, one of the stack's if there is; else None."""
    own = _directory(environment, stack, home)
    stamps = [s for s in home.environments.glob(f"accelerate-*/{STAMP}") if s.parent != own]
    # Its bytecode is good where it has the same files: two stacks with one torch share most.
    return max(
        (stamp.parent for stamp in stamps),
        key=lambda place: f"+{environment.stack}-" in place.name,
        default=None,
    )


def _refusal(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.unavailable")


def _verified(
    environment: Environment,
    directory: Path,
    packages: tuple[str, ...],
    added: str,
    home: Home,
    device: str,
    lent: tuple[str, ...],
) -> Built:
    """Start a worker in it once: it imports, and says what it is.

    Importing all that a cell does would take as long again, so what another environment lent is
    taken on trust until one is started for its work.
    """
    empty = EnvironmentRecord(environment.accelerate, environment.stack, "unavailable")
    try:
        with Built(environment, empty, directory, rehearsed=bool(lent)).start(
            home, device
        ) as worker:
            found = worker.introduction
    except WorkerError as error:
        raise InstallError(f"it was installed but does not start: {error.message}") from None
    record = EnvironmentRecord(
        found.accelerate,
        environment.stack,
        "ready",
        found.python,
        found.torch,
        found.numpy,
        found.safetensors,
        reason=added,
        packages=packages,
    )
    warm = lent or found.warm
    return Built(environment, record, directory, warm, found.device_name, not lent)
