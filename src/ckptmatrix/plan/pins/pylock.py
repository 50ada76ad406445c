"""`pylock.toml`: the lock of PEP 751, as `uv export`, `pip lock` and others write it."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from packaging.pylock import Package, Pylock, PylockValidationError

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.pins.pins import (
    WRONG,
    Extent,
    Pins,
    marker_environment,
    python_for,
    requirement,
)

_MAKE = "`uv export --format pylock.toml -o pylock.toml`"


def read(tables: dict[str, Any], source: str, python: str | None) -> Pins:
    """Read a lock; of its extras and groups, what is installed where none is named.

    Args:
        tables: the file, as TOML has it.
        source: what a person calls it.
        python: minor version of Python, if one was asked for.

    Raises:
        UsageError: it is no such lock.
    """
    try:
        lock = Pylock.from_dict(tables)
    except PylockValidationError as error:
        raise UsageError(
            f"{source} is no pylock.toml: {error}",
            f"make it anew: {_MAKE}",
        ) from None
    requires = str(lock.requires_python) if lock.requires_python is not None else None
    minor = python_for(source, requires, python)
    try:
        here = list(_here(lock, minor))
    except WRONG:
        raise UsageError(f"{source} has a marker that is none", f"make it anew: {_MAKE}") from None
    releases = {
        str(one.name): requirement(str(one.name), f"=={one.version}")
        for one in here
        if one.version and not _kind(one)
    }
    left_out = tuple(f"{_kind(one) or 'no version'} of {one.name}" for one in here)
    return Pins(
        source,
        minor,
        releases,
        {},
        tuple(said for one, said in zip(here, left_out, strict=True) if one.name not in releases),
        Extent.WHOLE,
    )


def _here(lock: Pylock, python: str) -> Iterator[Package]:
    """The packages whose markers hold on this machine."""
    environment: dict[str, str | AbstractSet[str]] = {
        **marker_environment(python),
        "extras": frozenset[str](),
        "dependency_groups": frozenset(lock.default_groups or ()),
    }
    for one in lock.packages:
        if one.marker is None or one.marker.evaluate(environment, context="lock_file"):
            yield one


def _kind(package: Package) -> str:
    """What it is, where it is no release on an index; else empty."""
    if package.vcs is not None:
        return "a repository"
    if package.directory is not None:
        return "an editable install" if package.directory.editable else "an archive or folder"
    return "an archive or folder" if package.archive is not None else ""
