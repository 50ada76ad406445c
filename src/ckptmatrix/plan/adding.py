"""New accelerate releases, written into the tiers of a `matrix.toml`; all else in it stays."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tomlkit
from packaging.version import Version
from tomlkit.items import Array

from ckptmatrix.errors import UsageError


@dataclass(frozen=True)
class Added:
    """What became of a `matrix.toml`."""

    text: str
    """All of it."""
    releases: tuple[str, ...]
    """What was added, oldest first."""
    tiers: tuple[str, ...]
    """The tiers that got it."""
    left: dict[str, str]
    """Tier -> why it was left as it is."""


def add_releases(text: str, index: tuple[str, ...]) -> Added:
    """Add the releases that are newer than every one that is named.

    They go to the tiers that end with the newest release that is named. One that ends before it
    was meant to, and a specifier follows the index by itself.

    Args:
        text: a `matrix.toml` that can be read.
        index: releases of accelerate on the index.

    Raises:
        UsageError: a list is laid out so that a release cannot be put in without harm.
    """
    lists, left = _lists(text)
    newest = max((max(map(Version, named)) for named in lists.values() if named), default=None)
    if newest is None:
        return Added(text, (), (), left)
    new = tuple(sorted((one for one in index if Version(one) > newest), key=Version))
    tiers = []
    for tier, named in lists.items():
        if not named or max(map(Version, named)) < newest:
            left[tier] = f"it ends before {newest}, the newest release that is named"
        elif new:
            text = _with(text, tier, new)
            tiers.append(tier)
    return Added(text, new if tiers else (), tuple(tiers), left)


def _lists(text: str) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Tier -> the releases that it lists; and why the others list none."""
    lists, left = {}, {}
    for tier, table in tomllib.loads(text)["tiers"].items():
        if isinstance(table["accelerate"], str):
            left[tier] = f'"{table["accelerate"]}" follows the index by itself'
        else:
            lists[tier] = table["accelerate"]
    return lists, left


def _with(text: str, tier: str, new: tuple[str, ...]) -> str:
    """Put releases in their order into the list of a tier."""
    wanted = tomllib.loads(text)
    named = wanted["tiers"][tier]["accelerate"]
    first = len(named) > 1 and Version(named[0]) > Version(named[-1])
    named[:] = [*reversed(new), *named] if first else [*named, *new]
    # What comes out is read again: a comment behind the last item would swallow what is put there.
    for way in (_at_the_front,) if first else (_behind, _on_a_line_of_their_own):
        document: Any = tomlkit.parse(text)
        way(document["tiers"][tier]["accelerate"], new)
        written = tomlkit.dumps(document)
        if _reads(written) == wanted:
            return written
    raise UsageError(
        f"the list of [tiers.{tier}] is laid out so that {', '.join(new)} cannot be put in safely",
        "add them to its `accelerate` by hand",
    )


def _reads(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


_Way = Callable[[Array, tuple[str, ...]], None]


def _behind(array: Array, new: tuple[str, ...]) -> None:
    for release in new:
        array.append(release)


def _on_a_line_of_their_own(array: Array, new: tuple[str, ...]) -> None:
    array.add_line(*new)


def _at_the_front(array: Array, new: tuple[str, ...]) -> None:
    for release in new:
        array.insert(0, release)
