"""The plan: environments, checkpoints and cells, from what is declared. Pure, touches nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Cell, Device, Environment, Stack
from ckptmatrix.plan.config import ALL, Config, Tier
from ckptmatrix.plan.selection import Selection
from ckptmatrix.util.did_you_mean import did_you_mean

FIRST_RELEASE = Version("0.10.0")
"""Older releases have `save_state` too (0.6.0, #255), but none of the features that matter here."""


@dataclass(frozen=True)
class Plan:
    """What a run consists of."""

    stacks: dict[str, Stack]
    """Label -> stack, for the stacks that take part."""
    environments: tuple[Environment, ...]
    """Oldest release first, stack by stack."""
    scenarios: tuple[str, ...]
    """Names of the scenarios."""
    cells: tuple[Cell, ...]
    """Reader by reader."""
    remedies: tuple[Device, ...] = ()
    """The devices between which the remedies of a plain load are measured beside it, where it is
    not exact."""

    @property
    def checkpoints(self) -> tuple[tuple[Environment, str], ...]:
        """Writer and scenario of each checkpoint that the cells need."""
        return tuple(dict.fromkeys((cell.writer, cell.scenario) for cell in self.cells))

    @property
    def readers(self) -> tuple[Environment, ...]:
        """The environments that load something."""
        return tuple(dict.fromkeys(cell.reader for cell in self.cells))

    @property
    def devices(self) -> tuple[Device, ...]:
        """What trainings run on, the CPU first."""
        found = {stack.device for stack in self.stacks.values()}
        return tuple(device for device in Device if device in found)

    @property
    def controlled(self) -> dict[str, tuple[str, ...]]:
        """Label of a stack -> the scenarios that are loaded in it, each of which has controls."""
        found: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            found.setdefault(cell.reader.stack, {})[cell.scenario] = None
        order = {name: number for number, name in enumerate(self.scenarios)}
        return {
            stack: tuple(sorted(names, key=order.__getitem__)) for stack, names in found.items()
        }

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
    parts = [_part(config, tier, selection, released)]
    if tier.with_gpu and len(selection.devices) > 1:
        beside = config.tier(tier.with_gpu)
        parts += [_part(config, beside, _within(config, beside, selection), released)]
    parts = [part for part in parts if part.cells]
    if not parts:
        raise UsageError(
            "the selection leaves nothing to run", "widen it, or see `ckptmatrix plan`"
        )
    order = {reader: number for number, reader in enumerate(_united(p.readers for p in parts))}
    cells = sorted(_united(part.cells for part in parts), key=lambda cell: order[cell.reader])
    return Plan(
        {label: stack for part in parts for label, stack in part.stacks.items()},
        _united(part.environments for part in parts),
        _united(part.scenarios for part in parts),
        tuple(cells),
        _united(part.remedies for part in parts),
    )


_T = TypeVar("_T")


def _united(found: Iterable[Iterable[_T]]) -> tuple[_T, ...]:
    """Each once, in the order in which it comes first."""
    return tuple(dict.fromkeys(one for some in found for one in some))


def _part(config: Config, tier: Tier, selection: Selection, released: tuple[str, ...]) -> Plan:
    """What one tier comes to, perhaps nothing."""
    names = _chosen("stack", selection.stacks, tier.stacks, config.stacks)
    meant = [name for name in config.scenarios if name not in tier.without]
    shown = meant if tier.scenarios == [ALL] else tier.scenarios
    scenarios = _chosen("scenario", selection.scenarios, shown, config.scenarios)
    loaders = _chosen("loader", selection.loaders, tier.loaders, config.loaders)
    releases = selection.accelerate or _releases(tier, released)
    check_releases(config, releases)
    if tier.gpu and Device.CUDA not in selection.devices:
        raise UsageError(
            "this tier is about what a GPU changes, and none is to be used",
            "run it where there is a GPU, with --device auto, both or cuda",
        )
    devices = selection.devices if tier.gpu else selection.devices[:1]
    stacks = [config.stacks[name].on(device) for device in devices for name in names]
    environments = tuple(
        Environment(release, stack.label)
        for stack in stacks
        for release in sorted(dict.fromkeys(releases), key=Version)
    )
    on_gpu = {stack.label for stack in stacks if stack.device is not Device.CPU}
    cells = tuple(
        Cell(writer, reader, scenario, loader)
        for reader in environments
        for scenario in scenarios
        for loader in loaders
        for writer in environments
        if not tier.gpu or {writer.stack, reader.stack} & on_gpu
    )
    wanted = tier.remedies if selection.remedies is None else selection.remedies
    labelled = {stack.label: stack for stack in stacks}
    return Plan(labelled, environments, scenarios, cells, devices if wanted else ())


def _within(config: Config, tier: Tier, selection: Selection) -> Selection:
    """What is left of a selection in a tier that is measured beside another one.

    Releases are as selected; stacks, scenarios and loaders are those of the tier that are selected.
    """

    def common(
        selected: tuple[str, ...] | None, declared: list[str], known: Mapping[str, object]
    ) -> tuple[str, ...] | None:
        if selected is None:
            return None
        every = known if ALL in declared else declared
        return tuple(name for name in every if name in selected or ALL in selected)

    return replace(
        selection,
        stacks=common(selection.stacks, tier.stacks, config.stacks),
        scenarios=common(selection.scenarios, tier.scenarios, config.scenarios),
        loaders=common(selection.loaders, tier.loaders, config.loaders),
    )


def check_releases(config: Config, releases: Iterable[str]) -> None:
    """Refuse what is no version; one that no tier names may still be out.

    Raises:
        UsageError: one of them is no version.
    """
    for release in releases:
        try:
            Version(release)
        except InvalidVersion:
            known = sorted(config.releases, key=Version)
            raise UsageError(
                f"{release!r} is no version of accelerate",
                f"{did_you_mean(release, known)}the tiers have {', '.join(known)}",
            ) from None


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
    names = tuple(declared) if selected is None else selected
    for name in names:
        if name != ALL and name not in known:
            raise UsageError(
                f"there is no {kind} '{name}'",
                f"{did_you_mean(name, known)}there are {', '.join(known)}",
            )
    return tuple(known) if ALL in names else tuple(dict.fromkeys(names))
