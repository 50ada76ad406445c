"""One writer and one reader of a scenario, and what each step saw: for whoever is writing one."""

import re
from dataclasses import dataclass, replace
from functools import partial

from packaging.version import Version

from ckptmatrix.environments.building import find_installation
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import UsageError
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.faults import HarnessError
from ckptmatrix.measure.installing import install, refuse_none
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import (
    Cell,
    CellRecord,
    CheckpointStatus,
    Device,
    Environment,
    Fault,
    Verdict,
)
from ckptmatrix.plan.config import ALL, Config
from ckptmatrix.plan.planning import check_releases
from ckptmatrix.util.did_you_mean import did_you_mean

_SHOWN = 3


@dataclass(frozen=True)
class ScenarioCheck:
    """What came of a scenario with one writer and one reader."""

    source: str
    """`module:object`."""
    environment: Environment
    """The writer, and the reader too."""
    written: Written | None = None
    """What the writer left; None if its script raised."""
    loaded: CellRecord | None = None
    """What came back; None if there was nothing to load, or the script raised."""
    fault: Fault | None = None
    """What the script, or ckptmatrix, raised."""

    @property
    def unnoticed(self) -> tuple[str, ...]:
        """Components that are the same before the load: a loss of them cannot be told."""
        verdicts = self.loaded.components if self.loaded else {}
        return tuple(n for n, found in verdicts.items() if found == Verdict.NOT_TOLD_APART)

    @property
    def components(self) -> dict[str, str]:
        """Component -> `saved`, or what of it is not in the files."""
        if self.loaded is None or self.written is None:
            return {}
        unsaved = self.written.record.unsaved
        there = [n for n, found in self.loaded.components.items() if found != Verdict.ABSENT]
        return {name: _saved(unsaved.get(name)) for name in there}


def _saved(unsaved: tuple[str, ...] | None) -> str:
    if unsaved is None:
        return "saved"
    shown = [path.lstrip("/") for path in unsaved[:_SHOWN]]
    more = [f"{len(unsaved) - _SHOWN} more"] if len(unsaved) > _SHOWN else []
    return f"not saved: {', '.join([*shown, *more])}" if any(shown) else "not saved"


def declared_as(config: Config, named: str) -> tuple[Config, str]:
    """A matrix that has the scenario, and its name there.

    Args:
        config: the declared matrix.
        named: a scenario's name in it, or `module:object`.

    Raises:
        UsageError: it is neither.
    """
    if named in config.scenarios:
        return config, named
    if not re.fullmatch(r"[\w.]+:\w+", named):
        raise UsageError(
            f"there is no scenario {named!r} in {config.path.name}",
            f"{did_you_mean(named, config.scenarios)}name one of [scenarios], or where it is: "
            "module:object, such as my_training:train",
        )
    name = named.replace(":", ".")
    return replace(config, scenarios={**config.scenarios, name: named}), name


def chosen_environment(
    site: Site, stack: str | None, release: str | None, device: Device
) -> Environment:
    """Where to check: what is named; of the rest the newest that is installed, else declared.

    Args:
        site: what is declared, and what is installed.
        stack: name of a declared stack, if one is asked for.
        release: accelerate's, if one is asked for.
        device: what it trains on.

    Raises:
        UsageError: there is no such stack, or no release is declared.
    """
    stacks = site.config.stacks
    if stack is not None and stack not in stacks:
        raise UsageError(
            f"there is no stack '{stack}'",
            f"{did_you_mean(stack, stacks)}there are {', '.join(stacks)}",
        )
    check_releases(site.config, [release] if release else [])
    usual = site.config.tier(site.config.default_tier()).stacks
    named = [stack] if stack else list(stacks if ALL in usual else usual)[::-1]
    labels = [stacks[name].on(device).label for name in named]
    releases = [release] if release else sorted(site.config.releases, key=Version, reverse=True)
    if not releases:
        raise UsageError("no tier names a release of accelerate", "name one with --accelerate")
    wished = [Environment(one, place) for one in releases for place in labels]
    return next((one for one in wished if _is_there(one, site)), wished[0])


def _is_there(environment: Environment, site: Site) -> bool:
    found = find_installation(environment, site)
    return found is not None and found.ready


def check_scenario(site: Site, name: str, loader: str, environment: Environment) -> ScenarioCheck:
    """Write a checkpoint anew, and load it in the same environment.

    Raises:
        NothingRanError: the environment could not be built.
        WorkerError: a worker did not start.
    """
    built = install([environment], site, 1)
    refuse_none(built)
    found = ScenarioCheck(site.config.scenarios[name], environment)
    with Lab(site, built) as lab:
        worker = partial(lab.registry.worker, environment)
        written = checkpoints.write(site, built[environment], name, worker)
        if written.fault:
            return replace(found, fault=written.fault)
        found = replace(found, written=written)
        if written.record.status != CheckpointStatus.WRITTEN:
            return found
        loading = lab.loading(Cell(environment, environment, name, loader), written)
        try:
            loaded = loading.outcome()
        except HarnessError as error:
            if error.fault is None:
                raise
            return replace(found, fault=error.fault)
    return replace(found, loaded=loaded)
