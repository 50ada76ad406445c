"""Pins: which versions somebody installs, whatever form they were written in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from packaging.markers import (
    InvalidMarker,
    Marker,
    UndefinedComparison,
    UndefinedEnvironmentName,
    default_environment,
)
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from ckptmatrix.errors import UsageError

_PYTHONS = ("3.11", "3.12", "3.10", "3.13", "3.14", "3.9")
"""Where nothing names the Python, the first of these that is allowed; 3.11 has wheels of every
torch from 2.0 to 2.15."""
_NEWEST_PATCH = 99

WRONG = (
    InvalidMarker,
    InvalidRequirement,
    InvalidSpecifier,
    InvalidVersion,
    UndefinedComparison,
    UndefinedEnvironmentName,
)
"""What is raised over a name, version or marker that is none."""


class Extent(StrEnum):
    """How much of an environment a source tells."""

    CHANGES = "changes"
    """What a person types: the rest may be as it was."""
    WISHES = "wishes"
    """What is asked for; an installer chooses the rest."""
    WHOLE = "whole"
    """Everything that is installed."""


@dataclass(frozen=True)
class Pins:
    """Which versions somebody installs, as far as they are releases on an index."""

    source: str
    """Where they were read, as a person named it."""
    python: str
    """Minor version of Python, such as `3.11`."""
    asked: Mapping[str, Requirement]
    """Normalized name -> what is asked for by name; markers are worked out and gone."""
    kept: Mapping[str, Requirement]
    """Normalized name -> which version it is, should something need it."""
    left_out: tuple[str, ...] = ()
    """What is in the source and not here, one clause each."""
    extent: Extent = Extent.WISHES
    """How much of the environment it tells."""

    def of(self, name: str) -> Requirement | None:
        """What is said of a package; None if nothing is."""
        asked, kept = self.asked.get(name), self.kept.get(name)
        return joined(asked, kept) if asked else kept

    @property
    def together(self) -> dict[str, Requirement]:
        """Normalized name -> everything that is said of it."""
        return {n: one for n in {**self.kept, **self.asked} if (one := self.of(n))}


def together(requirements: Iterable[Requirement], python: str) -> dict[str, Requirement]:
    """Requirements by name: those whose markers hold on this machine, two of a name as one.

    Args:
        requirements: in the order of the source.
        python: minor version of the Python that they are for.
    """
    environment = marker_environment(python)
    found: dict[str, Requirement] = {}
    for one in requirements:
        if not holds(one.marker, environment):
            continue
        name = canonicalize_name(one.name)
        found[name] = joined(requirement(name, str(one.specifier), one.extras), found.get(name))
    return found


def joined(one: Requirement, other: Requirement | None) -> Requirement:
    """Two requirements of one package as one, the same clause once; without marker."""
    if other is None:
        return requirement(one.name, str(one.specifier), one.extras)
    clauses = sorted({str(part) for part in (*one.specifier, *other.specifier)})
    return requirement(one.name, ",".join(clauses), one.extras | other.extras)


def requirement(name: str, specifier: str = "", extras: Iterable[str] = ()) -> Requirement:
    """A requirement of a package from an index, without marker."""
    named = f"[{','.join(sorted(extras))}]" if extras else ""
    return Requirement(f"{name}{named}{specifier}")


def marker_environment(python: str) -> dict[str, str]:
    """What markers are worked out by: this machine, with another Python."""
    here = {name: str(value) for name, value in default_environment().items()}
    return {
        **here,
        "python_version": python,
        "python_full_version": f"{python}.{_NEWEST_PATCH}",
        "extra": "",
    }


def holds(marker: Marker | None, environment: Mapping[str, str]) -> bool:
    """Whether a marker holds; where there is none, it does."""
    return marker is None or marker.evaluate(dict(environment))


def python_for(source: str, requires: str | None, asked: str | None) -> str:
    """The Python to build with.

    Args:
        source: where the pins are from.
        requires: which Pythons the source allows, such as `>=3.10`; None if it does not say.
        asked: minor version that a person asked for.

    Raises:
        UsageError: none of those that there are is allowed, or not the one asked for.
    """
    try:
        allowed = SpecifierSet(requires or "")
    except InvalidSpecifier:
        raise UsageError(
            f"{source}: the allowed Pythons cannot be understood", "correct `requires-python`"
        ) from None
    if asked and not re.fullmatch(r"3\.\d{1,3}", asked):
        raise UsageError(f"--python {asked!r} is no minor version", "name one such as 3.11")
    for python in (asked,) if asked else _PYTHONS:
        if any(allowed.contains(f"{python}.{patch}") for patch in (0, _NEWEST_PATCH)):
            return python
    named = f"Python {asked}" if asked else f"any of Python {', '.join(_PYTHONS)}"
    raise UsageError(
        f"{source} is for Python {allowed}, which does not allow {named}",
        "name another with --python",
    )
