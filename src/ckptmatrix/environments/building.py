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
from ckptmatrix.environments.installation import (
    STAMP,
    Installation,
    keep,
    lent_by,
    reusable,
    unavailable,
)
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.uv import InstallError, frozen, install
from ckptmatrix.environments.worker_process import WorkerError
from ckptmatrix.model import Environment, EnvironmentRecord, EnvironmentStatus
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import digest
from ckptmatrix.util.parallel import side_by_side

_RECIPE = 1
"""Raised when environments are made otherwise than before, so that old ones are not reused."""


def build_all(
    environments: Iterable[Environment],
    site: Site,
    done: Callable[[Installation], None] = lambda built: None,
    jobs: int | None = None,
    pins: Mapping[Environment, tuple[str, ...]] | None = None,
) -> dict[Environment, Installation]:
    """Build, or reuse, environments side by side.

    Args:
        environments: what to build.
        site: where they lie, and the device on which each is tried once after it is built.
        done: called with each as it is ready.
        jobs: how many at a time; as many as there are cores by default.
        pins: what to install of all that is not asked for by name, `name==version`.
    """
    settings = {**os.environ, **uv_settings(os.environ)}

    def one(environment: Environment) -> Installation:
        pinned = (pins or {}).get(environment, ())
        built = build(environment, site, settings, retry=True, pins=pinned)
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
    site: Site,
    settings: dict[str, str] | None = None,
    retry: bool = False,
    pins: tuple[str, ...] = (),
) -> Installation:
    """Build one environment, or reuse it if it is still what its stamp says.

    Args:
        environment: what to build.
        site: where it lies, and the device on which it is tried once after it is built.
        settings: variables for uv; found out by default.
        retry: try again what could not be built before.
        pins: versions to keep to, for an environment that another machine built already.
    """
    found = find_installation(environment, site)
    if found and (found.ready or not retry):
        return found
    directory = _directory(environment, site)
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Two runs may want it at the same time. The lock lies beside it: homes may share environments.
    with FileLock(f"{directory}.lock"):
        found = find_installation(environment, site)
        if found and (found.ready or not retry):
            return found
        return _build(environment, site, settings, pins)


def _build(
    environment: Environment,
    site: Site,
    settings: dict[str, str] | None,
    pins: tuple[str, ...],
) -> Installation:
    directory = _directory(environment, site)
    refused = _refusal(directory)
    if settings is None:
        settings = {**os.environ, **uv_settings(os.environ)}
    shutil.rmtree(directory, ignore_errors=True)
    try:
        added = install(environment, site.stack(environment), directory, settings, pins)
        donor = _donor(environment, site)
        if donor:
            borrow(directory, donor)
        lent = lent_by(donor, environment) if donor else ()
        packages = frozen(directory, settings)
        built = _verified(environment, directory, packages, added, site, lent)
    except InstallError as error:
        shutil.rmtree(directory, ignore_errors=True)
        write_atomically(refused, str(error).encode())
        return unavailable(environment, directory, str(error))
    refused.unlink(missing_ok=True)
    keep(built, site.device)
    return built


def find_installation(environment: Environment, site: Site) -> Installation | None:
    """What an earlier run left: the environment, or why it could not be had; None if neither."""
    directory = _directory(environment, site)
    found = reusable(environment, directory, site.device)
    if found is None and _refusal(directory).exists():
        reason = _refusal(directory).read_text(encoding="utf-8")
        return unavailable(environment, directory, reason)
    return found


def _directory(environment: Environment, site: Site) -> Path:
    stack = site.stack(environment)
    key = digest(_RECIPE, stack.python, stack.packages, environment.accelerate)
    return site.home.environments / f"{environment.id}-{key[:8]}"


def _donor(environment: Environment, site: Site) -> Path | None:
    """An environment that has been started before, one of the stack's if there is; else None."""
    own = _directory(environment, site)
    stamps = [s for s in site.home.environments.glob(f"accelerate-*/{STAMP}") if s.parent != own]
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
    site: Site,
    lent: tuple[str, ...],
) -> Installation:
    """Start a worker in it once: it imports, and says what it is.

    Importing all that a cell does would take as long again, so what another environment lent is
    taken on trust until one is started for its work.
    """
    empty = EnvironmentRecord(
        environment.accelerate, environment.stack, EnvironmentStatus.UNAVAILABLE
    )
    try:
        with Installation(environment, empty, directory, rehearsed=bool(lent)).start(
            site
        ) as worker:
            found = worker.introduction
    except WorkerError as error:
        raise InstallError(f"it was installed but does not start: {error.message}") from None
    record = EnvironmentRecord(
        found.accelerate,
        environment.stack,
        EnvironmentStatus.READY,
        found.python,
        found.torch,
        found.numpy,
        found.safetensors,
        reason=added,
        packages=packages,
    )
    warm = lent or found.warm
    return Installation(environment, record, directory, warm, found.device_name, not lent)
