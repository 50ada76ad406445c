"""The plan: environments, checkpoints and cells, from what is declared. Pure, touches nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Cell, Environment, Stack
from ckptmatrix.plan.config import ALL, Config, Tier
from ckptmatrix.plan.selection import Selection

FIRST_RELEASE = Version("0.10.0")
"""Older releases have `save_state` too (0.6.0, #255), but none of the features that matter here."""


@dataclass(frozen=True)
class Plan:
    """What a run consists of."""

    stacks: dict[str, Stack]
    """Name -> stack, for the stacks that take part."""
    environments: tuple[Environment, ...]
    """Oldest release first, stack by stack."""
    scenarios: tuple[str, ...]
    """Names of the scenarios."""
    cells: tuple[Cell, ...]
    """Reader by reader."""
    remedies: bool = False
    """Whether the remedies of a plain load are measured beside it, where it is not exact."""

    @property
    def checkpoints(self) -> tuple[tuple[Environment, str], ...]:
        """Writer and scenario of each checkpoint that the cells need."""
        return tuple(dict.fromkeys((cell.writer, cell.scenario) for cell in self.cells))

    @property
    def readers(self) -> tuple[Environment, ...]:
        """The environments that load something."""
        return tuple(dict.fromkeys(cell.reader for cell in self.cells))

    def narrowed(self, cells: tuple[Cell, ...]) -> "Plan":
        """The same plan with only these cells and what they need."""
        needed = {end for cell in cells for end in (cell.writer, cell.reader)}
        stacks = {environment.stack for environment in needed}
        return replace(
            self,
            stacks={name: stack for name, stack in self.stacks.items() if name in stacks},
            environments=tuple(e for e in self.environments if e in needed),
            scenarios=tuple(s for s in self.scenarios if any(c.scenario == s for c in cells)),
            cells=cells,
        )


def make_plan(config: Config, selection: Selection, released: tuple[str, ...] = ()) -> Plan:
    """Turn what is declared and selected into environments and cells.

    Args:
        config: the declared matrix.
        selection: tier and what narrows it.
        released: releases on the index, needed only where a tier says `>=…`.

    Raises:
        UsageError: the selection names something that is not declared, or leaves nothing.
    """
    tier = config.tier(selection.tier)
    stacks = _chosen("stack", selection.stacks, tier.stacks, config.stacks)
    scenarios = _chosen("scenario", selection.scenarios, tier.scenarios, config.scenarios)
    loaders = _chosen("loader", selection.loaders, tier.loaders, config.loaders)
    releases = selection.accelerate or _releases(tier, released)
    environments = tuple(
        Environment(release, stack)
        for stack in stacks
        for release in sorted(dict.fromkeys(releases), key=Version)
    )
    cells = tuple(
        Cell(writer, reader, scenario, loader)
        for reader in environments
        for scenario in scenarios
        for loader in loaders
        for writer in environments
    )
    if not cells:
        raise UsageError(
            "the selection leaves nothing to run", "widen it, or see `ckptmatrix plan`"
        )
    chosen = {name: config.stacks[name] for name in stacks}
    remedies = tier.remedies if selection.remedies is None else selection.remedies
    return Plan(chosen, environments, scenarios, cells, remedies)


def needs_index(config: Config, selection: Selection) -> bool:
    """Whether planning needs to know what the index has."""
    return selection.accelerate is None and isinstance(config.tier(selection.tier).accelerate, str)


def _releases(tier: Tier, released: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(tier.accelerate, str):
        return tuple(tier.accelerate)
    wanted = SpecifierSet(tier.accelerate)
    return tuple(
        release
        for release in released
        if Version(release) in wanted
        and Version(release) >= FIRST_RELEASE
        and not Version(release).is_prerelease
    )


def _chosen(
    kind: str, selected: tuple[str, ...] | None, declared: list[str], known: Mapping[str, object]
) -> tuple[str, ...]:
    names = selected or tuple(declared)
    for name in names:
        if name != ALL and name not in known:
            raise UsageError(f"there is no {kind} '{name}'", f"there are {', '.join(known)}")
    return tuple(known) if ALL in names else tuple(dict.fromkeys(names))
