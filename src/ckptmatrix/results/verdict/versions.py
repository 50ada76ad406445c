"""A version as a person types it, found among those that were measured.

The page has the same in `typed.js`, held equal by a test; what lies between two versions
(`gaps`) is worked out here alone.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TYPED = (
    r"^v?(\d{1,6}(?:\.\d{1,6}){0,4})"
    r"((?:[._-]?(?:a|b|c|rc|alpha|beta|dev|pre|post)[._-]?\d*){0,3})(?:\+[\w.]*)?$"
)
"""A version: its numbers, and whether it comes before or after the release that they name."""

_PARTS = 5
_TYPED = re.compile(TYPED, re.IGNORECASE | re.ASCII)

_Key = tuple[tuple[int, ...], int]


@dataclass(frozen=True)
class Gap:
    """What is known of two neighbours among the measured versions of one package."""

    how: str
    """How they differ, from `which` on; empty if every outcome is the same with either."""
    borders: tuple[str, ...] = ()
    """Versions after the older one, up to the newer one, from which on something is known to load
    otherwise."""


@dataclass(frozen=True)
class Scale:
    """The measured versions of one package."""

    package: str
    """Its name."""
    versions: tuple[str, ...]
    """Oldest first, without builds such as `+cpu`."""
    gap: Callable[[int], Gap]
    """What lies between the version of this number and the next one."""
    before: tuple[str, ...] | None = None
    """Borders known up to the oldest version; None if it is not known what came before."""


@dataclass(frozen=True)
class Place:
    """Where a typed version stands."""

    version: str
    """The measured version that stands for it; empty if none does."""
    said: str = ""
    """What there is to say: `not measured; nearest ...`; empty for a version that was measured."""
    instead: tuple[str, ...] = ()
    """The measured versions next to one for which none stands."""
    measured: bool = False
    """Whether it is the measured version that was meant, not one that stands for it."""


def key_of(text: str) -> _Key | None:
    """Order versions by their numbers, and the ones before and after a release around it.

    Returns:
        Five numbers, and -1, 0 or 1 for `rc1`, nothing, `.post1`; None for what is no version.
    """
    found = _TYPED.match(text.strip())
    if found is None:
        return None
    numbers = [int(part) for part in found[1].split(".")]
    suffix = found[2].lower()
    side = 0 if not suffix else 1 if "post" in suffix else -1
    return (*numbers, *[0] * (_PARTS - len(numbers))), side


def place(scale: Scale, text: str) -> Place:
    """Find the measured version that a typed one means, or that stands for it.

    It is itself (`0.33` is 0.33.0), the only one that it is the beginning of (`1` is 1.26.4), or
    the nearest one if nothing tells the versions around it apart, or if it lies on one side of
    all borders between them.

    Args:
        scale: the measured versions.
        text: as it was typed.
    """
    wanted = key_of(text)
    if wanted is None:
        return Place("", f"'{text.strip()}' is no version")
    keys = [_known(version) for version in scale.versions]
    if wanted in keys:
        return Place(scale.versions[keys.index(wanted)], measured=True)
    begun = _begun(scale.versions, text)
    if len(begun) > 1:
        return Place("", f"can be {_listed(begun)}", begun)
    if begun:
        return Place(begun[0], f"measured with {begun[0]}", measured=True)
    position = sum(key < wanted for key in keys)
    if position == 0:
        return _older(scale, wanted)
    if position == len(keys):
        return _beyond("newer", "newest", scale.versions[-1])
    return _between(scale, position, wanted)


def _between(scale: Scale, position: int, wanted: _Key) -> Place:
    older, newer = scale.versions[position - 1], scale.versions[position]
    gap = scale.gap(position - 1)
    if not gap.how:
        near, far = (older, newer) if _nearer(older, newer, wanted) else (newer, older)
        return Place(near, f"not measured; nearest {near}, which behaves as {far} does")
    if gap.borders and wanted < _known(gap.borders[0]):
        return _same_side(older, gap.borders[0])
    if gap.borders and wanted >= _known(gap.borders[-1]):
        return _same_side(newer, gap.borders[-1])
    said = f"not measured: between {older} and {newer}, which {gap.how}"
    return Place("", said, (older, newer))


def _same_side(stands: str, border: str) -> Place:
    return Place(stands, f"not measured; nearest {stands}, the same side of the border at {border}")


def _older(scale: Scale, wanted: _Key) -> Place:
    oldest = scale.versions[0] if scale.versions else ""
    if not oldest or scale.before is None or any(_known(one) > wanted for one in scale.before):
        return _beyond("older", "oldest", oldest)
    return Place(oldest, f"not measured; nearest {oldest}, no border is known between them")


def _beyond(how: str, which: str, end: str) -> Place:
    if not end:
        return Place("", "not measured: this run has none")
    return Place("", f"not measured: {how} than {end}, the {which} measured", (end,))


def _begun(versions: Sequence[str], text: str) -> tuple[str, ...]:
    found = _TYPED.match(text.strip())
    if found is None or found[2]:
        return ()
    return tuple(version for version in versions if f"{version}.".startswith(f"{found[1]}."))


def _nearer(older: str, newer: str, wanted: _Key) -> bool:
    """Whether the older one is as near as the newer one, by the first number that tells."""

    def far(version: str) -> list[int]:
        return [abs(a - b) for a, b in zip(_known(version)[0], wanted[0], strict=True)]

    return far(older) <= far(newer)


def _known(version: str) -> _Key:
    # A build made from a branch may be called anything; it stands before all releases.
    return key_of(version) or ((0,) * _PARTS, -1)


def _listed(versions: Sequence[str]) -> str:
    return f"{', '.join(versions[:-1])} or {versions[-1]}"
