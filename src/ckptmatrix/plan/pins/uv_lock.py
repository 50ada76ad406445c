"""`uv.lock`: every package of a project, for all platforms; those of this machine are taken.

Source of the format: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile; version 1.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pins.pins import (
    WRONG,
    Extent,
    Pins,
    holds,
    marker_environment,
    python_for,
    requirement,
    together,
)

_FORMAT = 1


class _Source(msgspec.Struct, frozen=True):
    """Where a package is from; one of them."""

    registry: str | None = None
    git: str | None = None
    url: str | None = None
    path: str | None = None
    directory: str | None = None
    editable: str | None = None
    virtual: str | None = None

    @property
    def is_member(self) -> bool:
        """Whether it is the project, or a member of its workspace."""
        return self.editable is not None or self.virtual is not None

    @property
    def kind(self) -> str:
        """What it is, where it is no release on an index."""
        if self.git is not None:
            return "a repository"
        return "an editable install" if self.is_member else "an archive or folder"


class _Dependency(msgspec.Struct, frozen=True):
    """What a package asks for."""

    name: str
    marker: str = ""
    extra: list[str] = []


class _Package(msgspec.Struct, frozen=True, rename="kebab"):
    """`[[package]]`."""

    name: str
    source: _Source
    version: str = ""
    resolution_markers: list[str] = []
    dependencies: list[_Dependency] = []


class _Lock(msgspec.Struct, frozen=True, rename="kebab"):
    """The whole file."""

    version: int
    requires_python: str | None = None
    package: list[_Package] = []


def read(tables: dict[str, Any], source: str, python: str | None) -> Pins:
    """Read a lock.

    Args:
        tables: the file, as TOML has it.
        source: what a person calls it.
        python: minor version of Python, if one was asked for.

    Raises:
        UsageError: it is no lock of uv's, or of a later format.
    """
    try:
        lock = msgspec.convert(tables, _Lock)
    except msgspec.ValidationError as error:
        raise UsageError(f"{source} is no uv.lock: {error}", "make it anew: `uv lock`") from None
    if lock.version != _FORMAT:
        raise UsageError(
            f"{source} has format {lock.version} of uv.lock; known is {_FORMAT}",
            "write it as a requirements.txt: `uv export --no-hashes > requirements.txt`",
        )
    minor = python_for(source, lock.requires_python, python)
    environment = marker_environment(minor)
    try:
        here = [one for one in lock.package if _is_here(one, environment)]
        releases = [one for one in here if one.source.registry is not None and one.version]
        kept = dict(_newest(releases))
        asked = [
            Requirement(f"{_named(one)}; {one.marker}" if one.marker else _named(one))
            for package in here
            if package.source.is_member
            for one in package.dependencies
        ]
        wanted = {
            name: requirement(name, str(kept[name].specifier), one.extras)
            for name, one in together(asked, minor).items()
            if name in kept
        }
        left_out = tuple(_left_out(here, kept))
    except WRONG:
        raise UsageError(
            f"{source} has a name, version or marker that is none", "make it anew: `uv lock`"
        ) from None
    return Pins(source, minor, wanted, kept, left_out, Extent.WHOLE)


def _is_here(package: _Package, environment: dict[str, str]) -> bool:
    """Whether it is the version for this machine, where there are several."""
    markers = package.resolution_markers
    return not markers or any(holds(Marker(one), environment) for one in markers)


def _newest(packages: Iterable[_Package]) -> Iterator[tuple[str, Requirement]]:
    """Name -> its version; of several that extras choose between, the newest."""
    for one in sorted(packages, key=lambda one: Version(one.version)):
        name = canonicalize_name(one.name)
        yield name, requirement(name, f"=={one.version}")


def _named(one: _Dependency) -> str:
    return f"{one.name}[{','.join(one.extra)}]" if one.extra else one.name


def _left_out(packages: Iterable[_Package], kept: dict[str, Requirement]) -> Iterator[str]:
    versions: dict[str, set[str]] = {}
    for one in packages:
        name = str(canonicalize_name(one.name))
        if one.source.registry is None and not one.source.is_member:
            yield f"{one.source.kind} of {name}"
        elif one.version:
            versions.setdefault(name, set()).add(Version(one.version).public)
    for name, several in versions.items():
        if len(several) > 1 and name in kept:
            rest = several - {Version(str(kept[name].specifier)[2:]).public}
            yield f"{name} {', '.join(sorted(rest))}, which an extra chooses"
