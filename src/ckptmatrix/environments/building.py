"""Environments: built by uv, resolved, recorded by their frozen list, reused while that holds.

uv hard-links from its cache, so torch's files exist once however many environments there are.
"""

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from ckptmatrix.environments.bytecode import borrow
from ckptmatrix.environments.index import uv_settings
from ckptmatrix.environments.installation import (
    Installation,
    as_stamped,
    lock_of,
    start_worker,
    unavailable,
)
from ckptmatrix.environments.intact import damaged, state_of
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.stamp import STAMP, Stamp, Trial, read_stamp, write_stamp
from ckptmatrix.environments.uv import InstallError, NotNowError, frozen, install
from ckptmatrix.environments.worker_process import Worker, WorkerError, WorkerKilledError
from ckptmatrix.errors import NothingRanError
from ckptmatrix.model import Device, Environment, EnvironmentRecord, EnvironmentStatus, Stack
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import digest
from ckptmatrix.util.parallel import side_by_side
from ckptmatrix.worker.protocol import GpuCost, Returned, Weigh

_WEIGH_SECONDS = 120

_RECIPE = 2
"""Raised when environments are made otherwise than before, so that old ones are not reused."""


def build_all(
    environments: Iterable[Environment],
    site: Site,
    done: Callable[[Installation], None] = lambda built: None,
    jobs: int | None = None,
    pins: Mapping[Environment, tuple[str, ...]] | None = None,
    cache: Path | None = None,
) -> dict[Environment, Installation]:
    """Build, or reuse, environments side by side.

    Args:
        environments: what to build.
        site: where they lie, and the GPUs on which some are tried.
        done: called with each as it is ready.
        jobs: how many at a time; as many as there are cores by default.
        pins: what to install of all that is not asked for by name, `name==version`.
        cache: where uv keeps what it downloads; None for its usual place.
    """
    settings = {**os.environ, **uv_settings(os.environ)}
    if cache:
        settings["UV_CACHE_DIR"] = str(cache)

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

    Nothing is installed again for another device: there it is tried once as well.

    Args:
        environment: what to build.
        site: where it lies, and the GPUs on which it is tried if it is on one.
        settings: variables for uv; found out by default.
        retry: try again what could not be built, or not be used on this device, before.
        pins: versions to keep to, for an environment that another machine built already.
    """
    found = find_installation(environment, site)
    if found and (found.ready or not retry):
        return found
    directory = _directory(environment, site)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with lock_of(directory):  # two runs may want it at the same time
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
    stamp = read_stamp(directory)
    if stamp is None or (not stamp.started and site.hardware(environment) in stamp.trials):
        try:
            stamp = _installed(environment, site, settings, pins)
        except InstallError as error:
            shutil.rmtree(directory, ignore_errors=True)
            found = find_installation(environment, site)
            if isinstance(error, NotNowError):
                if found is None:
                    raise _not_now(environment, error) from error
                return found  # what kept it from being built before still holds
            write_atomically(_refusal(directory), str(error).encode())
            return unavailable(environment, directory, str(error), site.device(environment))
        _refusal(directory).unlink(missing_ok=True)
    stamp = _tried(environment, directory, stamp, site)
    write_stamp(directory, stamp)
    found = as_stamped(environment, directory, stamp, site)
    assert found is not None, "it was tried on this device just now"
    return found


def _installed(
    environment: Environment,
    site: Site,
    settings: dict[str, str] | None,
    pins: tuple[str, ...],
) -> Stamp:
    """Install it anew; it has not been tried anywhere.

    Raises:
        InstallError: it cannot be had.
    """
    directory = _directory(environment, site)
    if settings is None:
        settings = {**os.environ, **uv_settings(os.environ)}
    shutil.rmtree(directory, ignore_errors=True)
    stack = site.stack(environment)
    kept = (*stack.constraints, *pins)
    added = install(environment, stack, directory, settings, kept)
    donor = _donor(environment, site)
    lent: tuple[str, ...] = ()
    if donor:
        borrow(directory, donor)
        lent = _lent_by(donor, stack)
    record = EnvironmentRecord(
        environment.accelerate,
        stack.name,
        EnvironmentStatus.UNAVAILABLE,
        reason=added,
        packages=frozen(directory, settings),
    )
    wrong = damaged(directory)
    if wrong:
        raise NotNowError(
            f"uv installed {_told(wrong)} otherwise than packed, so its cache is damaged: "
            "`uv cache clean`, or that of the package, makes it fetch it again."
        )
    return Stamp(record, lent, rehearsed=not lent, files=state_of(directory))


def _not_now(environment: Environment, error: NotNowError) -> NothingRanError:
    return NothingRanError(
        f"{environment.id} cannot be built at present: {error}",
        "settle that (network, index or disk) and run again: what was built and measured so far "
        "is kept; or leave it out by --accelerate and --stack",
    )


def _told(wrong: tuple[str, ...]) -> str:
    """Files in a few words."""
    more = f" and {len(wrong) - 1} other files" if len(wrong) > 1 else ""
    return f"{wrong[0]}{more}"


def whole(found: Installation, site: Site) -> Installation:
    """An environment whose files are what was installed: built anew where they are not.

    Raises:
        NothingRanError: it was damaged and cannot be built anew.
    """
    directory = found.directory
    stamp = read_stamp(directory)
    if stamp and stamp.files == state_of(directory):
        return found
    with lock_of(directory):
        stamp = read_stamp(directory)
        state = state_of(directory)
        wrong = damaged(directory) if stamp is None or stamp.files != state else ()
        if stamp and not wrong:
            write_stamp(directory, replace(stamp, files=state))
            return found
        with (site.home.logs / f"{found.environment.short}.log").open("a") as log:
            log.write(f"the environment is built anew: {_told(wrong or (STAMP,))} was damaged\n")
        (directory / STAMP).unlink(missing_ok=True)
        anew = _build(found.environment, site, None, found.record.packages)
    if not anew.ready:
        raise NothingRanError(
            f"{found.environment.id} was damaged and cannot be built anew: {anew.record.reason}",
            "settle that and run again: what was built and measured so far is kept",
        )
    return anew


def _lent_by(donor: Path, stack: Stack) -> tuple[str, ...]:
    """The modules of another environment of the stack: most are torch's, and the same."""
    stamp = read_stamp(donor)
    return stamp.warm if stamp and stamp.record.stack == stack.name else ()


def find_installation(environment: Environment, site: Site) -> Installation | None:
    """What an earlier run left: the environment, or why it could not be had; None if neither."""
    directory = _directory(environment, site)
    stamp = read_stamp(directory)
    if stamp is not None:
        return as_stamped(environment, directory, stamp, site)
    if _refusal(directory).exists():
        reason = _refusal(directory).read_text(encoding="utf-8")
        return unavailable(environment, directory, reason, site.device(environment))
    return None


def _directory(environment: Environment, site: Site) -> Path:
    stack = site.stack(environment)
    kept = (stack.constraints,) if stack.constraints else ()
    key = digest(_RECIPE, stack.python, stack.packages, environment.accelerate, *kept)
    # One folder for all devices, called as on the CPU.
    shared = Environment(environment.accelerate, stack.name)
    return site.home.environments / f"{shared.id}-{key[:8]}"


def _donor(environment: Environment, site: Site) -> Path | None:
    """An environment that has been started before, one of the stack's if there is; else None."""
    own = _directory(environment, site)
    stamps = [s for s in site.home.environments.glob(f"accelerate-*/{STAMP}") if s.parent != own]
    # Its bytecode is good where it has the same files: two stacks with one torch share most.
    return max(
        (stamp.parent for stamp in stamps),
        key=lambda place: f"+{site.stack(environment).name}-" in place.name,
        default=None,
    )


def _refusal(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.unavailable")


def _tried(environment: Environment, directory: Path, stamp: Stamp, site: Site) -> Stamp:
    """Start a worker in it once: it imports, says what it is, and computes if that is on a GPU.

    Importing all that a cell does would take as long again, so what another environment lent is
    taken on trust until one is started for its work.

    Raises:
        WorkerKilledError: somebody killed it each time, which says nothing of the environment.
    """
    hardware = site.hardware(environment)
    on_gpu = site.device(environment) is not Device.CPU
    # What is left of a GPU's memory shows what a process takes of it, so one trial at a time.
    alone = lock_of(site.home.root / "gpus") if on_gpu else nullcontext()
    try:
        with alone, start_worker(environment, directory, site, (), bool(stamp.warm)) as worker:
            found = worker.introduction
            cost = _cost(worker)
    except WorkerKilledError:
        raise
    except WorkerError as error:
        reason = f"it was installed but does not start: {error.message}"
        return stamp.with_trial(hardware, Trial(reason=reason))
    if not stamp.started:
        record = replace(
            stamp.record,
            accelerate=found.accelerate,
            status=EnvironmentStatus.READY,
            python=found.python,
            torch=found.torch,
            numpy=found.numpy,
            safetensors=found.safetensors,
        )
        stamp = replace(stamp, record=record, warm=stamp.warm or found.warm)
    if found.gpu is None:
        return stamp.with_trial(hardware, Trial())
    gpu = found.gpu
    trial = Trial(gpu.name, gpu.text, str(gpu.problem or ""), cost.bytes, cost.seconds)
    return stamp.with_trial(hardware, trial)


def _cost(worker: Worker) -> GpuCost:
    """What a process of a worker costs on the GPU; nothing if it uses none."""
    gpu = worker.introduction.gpu
    if gpu is None or gpu.problem:
        return GpuCost(0, 0.0)
    answer = worker.ask(Weigh(), _WEIGH_SECONDS)
    return answer.value if isinstance(answer, Returned) else GpuCost(0, 0.0)
