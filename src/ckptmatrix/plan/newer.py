"""Releases that are newer than what was measured: which they are, and the sentence about them.

Pure: what the index has is asked for elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from ckptmatrix.model import EnvironmentRecord, EnvironmentStatus, RunRecord
from ckptmatrix.plan.config import Config

ACCELERATE = "accelerate"
PYTHON = "python"
"""A Python counts as its minor version: `3.11`."""
PACKAGES = (ACCELERATE, "torch", "numpy", "safetensors")
"""What an environment is described by, beside Python; names as the index has them."""

_NAMED = 4
"""So many releases are named; of more the first, the last and the number are given."""


@dataclass(frozen=True)
class IndexRelease:
    """One release on the index."""

    version: str
    """Its version, such as `2.13.0`; of a Python the minor version."""
    uploaded: datetime | None = None
    """When the first of its files was uploaded; None where the index does not say."""
    requires_python: str = ""
    """Specifier of the Pythons that it is for."""

    def days(self, now: datetime) -> int | None:
        """Whole days that it has been out; None where the index does not say since when."""
        return (now - self.uploaded).days if self.uploaded else None

    def installable(self, pythons: Iterable[str]) -> bool:
        """Whether it is for one of these minor versions."""
        wanted = SpecifierSet(self.requires_python)
        # The newest patch release: `>=3.9.2` is no reason against 3.9.
        return any(wanted.contains(f"{python}.99") for python in pythons)


def measured_versions(records: Iterable[EnvironmentRecord]) -> dict[str, tuple[str, ...]]:
    """Package -> versions that environments really had, oldest first; local parts are left out.

    Args:
        records: environments; those that could not be built have no versions.
    """
    found: dict[str, set[Version]] = {name: set() for name in (*PACKAGES, PYTHON)}
    for record in records:
        if record.status == EnvironmentStatus.READY:
            for name, versions in found.items():
                versions |= _versions([getattr(record, name)])
    return _sorted(found)


def declared_versions(config: Config) -> dict[str, tuple[str, ...]]:
    """Package -> versions that `matrix.toml` names, oldest first.

    A specifier such as `>=0.10` names none: it follows the index by itself.
    """
    found: dict[str, set[Version]] = {name: set() for name in (*PACKAGES, PYTHON)}
    for tier in config.tiers.values():
        if not isinstance(tier.accelerate, str):
            found[ACCELERATE] |= _versions(tier.accelerate)
    for stack in config.stacks.values():
        found[PYTHON] |= _versions([stack.python])
        for requirement in map(Requirement, stack.packages):
            if requirement.name in found:
                pins = [one.version for one in requirement.specifier if one.operator == "=="]
                found[requirement.name] |= _versions(pins)
    return _sorted(found)


def newer_than(known: Sequence[str], releases: Iterable[IndexRelease]) -> tuple[IndexRelease, ...]:
    """The releases beyond the newest one that is known, oldest first; all if none is known."""
    newest = max(map(Version, known), default=None)
    beyond = (one for one in releases if newest is None or Version(one.version) > newest)
    return tuple(sorted(beyond, key=lambda one: Version(one.version)))


def not_measured(
    records: Iterable[EnvironmentRecord], index: Mapping[str, Iterable[IndexRelease]]
) -> dict[str, tuple[str, ...]]:
    """Package -> versions on the index that are newer than any of these environments has.

    Args:
        records: environments.
        index: package -> its releases.
    """
    known = measured_versions(records)
    return {
        name: tuple(release.version for release in newer_than(known[name], releases))
        for name, releases in index.items()
    }


def sentence(newer: Mapping[str, Sequence[str]]) -> str:
    """Say what is out and not measured; empty if nothing is.

    Args:
        newer: package -> versions, oldest first.
    """
    one = sum(map(len, newer.values())) == 1
    named = listing(newer)
    return f"{named} {'is' if one else 'are'} out and not measured" if named else ""


def listing(newer: Mapping[str, Sequence[str]]) -> str:
    """Name releases, package by package: `torch 2.14.0, 2.15.0; Python 3.14`."""
    return "; ".join(f"{title(name)} {_listed(found)}" for name, found in newer.items() if found)


def sentence_of(run: RunRecord) -> str:
    """Say what was out and not measured when a run was made; empty if nothing is known of."""
    return sentence({ACCELERATE: run.newer, **run.newer_packages})


def title(package: str) -> str:
    """The package as it is written in a sentence."""
    return "Python" if package == PYTHON else package


def _listed(versions: Sequence[str]) -> str:
    if len(versions) <= _NAMED:
        return ", ".join(versions)
    return f"{versions[0]} to {versions[-1]} ({len(versions)} releases)"


def _versions(texts: Iterable[str]) -> set[Version]:
    """What of these texts is a version: `==2.*` is none, and what could not be built has none."""
    found = set()
    for text in texts:
        try:
            found.add(Version(Version(text).public))
        except InvalidVersion:
            continue
    return found


def _sorted(found: Mapping[str, set[Version]]) -> dict[str, tuple[str, ...]]:
    minor = {Version(f"{one.major}.{one.minor}") for one in found[PYTHON]}
    return {
        name: tuple(map(str, sorted(minor if name == PYTHON else versions)))
        for name, versions in found.items()
    }
