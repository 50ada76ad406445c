"""How far measurements reach, package by package: what is measured, declared, and newer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ckptmatrix.model import EnvironmentRecord
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.newer import (
    PYTHON,
    IndexRelease,
    declared_versions,
    measured_versions,
    newer_than,
)


@dataclass(frozen=True)
class NewerRelease:
    """A release that is newer than anything measured."""

    version: str
    """Its version; of a Python the minor version."""
    released: datetime | None
    """When it was uploaded first; None where the index does not say."""
    days: int | None
    """Whole days since then."""
    declared: bool
    """Whether `matrix.toml` names it, so that the next run measures it."""
    remark: str = ""
    """What keeps it from being measured."""


@dataclass(frozen=True)
class Coverage:
    """One package."""

    package: str
    """Its name on the index, or `python`."""
    measured: str
    """The newest version measured; empty if there is none."""
    declared: str
    """The newest version that `matrix.toml` names; empty if it names none."""
    known: bool
    """Whether it is known which releases there are; of Python it may not be."""
    newer: tuple[NewerRelease, ...]
    """Releases beyond the newest one measured, oldest first."""

    @property
    def versions(self) -> tuple[str, ...]:
        """Versions of what is newer."""
        return tuple(release.version for release in self.newer)

    @property
    def undated(self) -> tuple[str, ...]:
        """Versions of what is newer, and the index does not say since when."""
        return tuple(release.version for release in self.newer if release.days is None)

    def out(self, days: int) -> tuple[str, ...]:
        """Versions of what is newer and has been out so many days; for 0 no date is needed."""
        return tuple(
            release.version
            for release in self.newer
            if not days or (release.days is not None and release.days >= days)
        )


def coverage(
    config: Config,
    records: Iterable[EnvironmentRecord],
    index: Mapping[str, tuple[IndexRelease, ...]],
    now: datetime,
) -> tuple[Coverage, ...]:
    """Work out how far measurements reach.

    Args:
        config: what is declared.
        records: the environments that were measured in.
        index: package, in the order of the answer -> the releases there are.
        now: when the index was asked.
    """
    measured, declared = measured_versions(records), declared_versions(config)
    pythons = (*measured[PYTHON], *declared[PYTHON])

    def one(release: IndexRelease, named: tuple[str, ...]) -> NewerRelease:
        fits = release.installable(pythons)
        return NewerRelease(
            release.version,
            release.uploaded,
            release.days(now),
            release.version in named,
            "" if fits else f"needs Python {release.requires_python}",
        )

    return tuple(
        Coverage(
            package,
            next(reversed(measured[package]), ""),
            next(reversed(declared[package]), ""),
            bool(releases),
            tuple(one(r, declared[package]) for r in newer_than(measured[package], releases)),
        )
        for package, releases in index.items()
    )
