"""How much a lost component matters: the one order in which losses are told."""

from collections.abc import Iterable
from enum import StrEnum


class Severity(StrEnum):
    """A group of components, in words; the worst to lose first."""

    WEIGHTS = "weights"
    TRAINING = "optimizer, scaler and schedule"
    PLACE = "place in the data and step"
    RANDOM = "random states"
    OWN = "the script's own objects"


_GROUPS = {
    Severity.WEIGHTS: ("model",),
    Severity.TRAINING: ("optimizer", "scaler", "scheduler", "gradients"),
    Severity.PLACE: ("dataloader", "step", "naming"),
    Severity.RANDOM: ("rng.python", "rng.numpy", "rng.torch", "rng.cuda"),
}
"""Everything else is the script's own: registered objects, files of hooks, components of a
scenario."""

_OF = {component: severity for severity, group in _GROUPS.items() for component in group}
_ORDER = tuple(Severity)


def severity_of(component: str) -> Severity:
    """Give the group of a component; `rng.numpy@1` is that of process 1, so of the same group."""
    return _OF.get(component.partition("@")[0], Severity.OWN)


def by_severity(components: Iterable[str]) -> dict[Severity, tuple[str, ...]]:
    """Put components into their groups, the worst group first; only groups that have any."""
    groups: dict[Severity, tuple[str, ...]] = {}
    for name in components:
        group = severity_of(name)
        groups[group] = (*groups.get(group, ()), name)
    return {severity: groups[severity] for severity in _ORDER if severity in groups}


def bases(components: Iterable[str]) -> tuple[str, ...]:
    """Name components without the process they are of, each once."""
    return tuple(dict.fromkeys(name.partition("@")[0] for name in components))
