"""Placeholders of the texts of modes: releases by what they do, and what a message carries."""

import re
import shlex
from collections.abc import Mapping

from ckptmatrix.knowledge import releases

_RELEASE = re.compile(r"\{from (?P<field>\w+)=(?P<value>[^}]+)\}")
_BORDER = re.compile(r"\{(?P<name>(?:torch|numpy)_\w+)\}")
_CARRIED = re.compile(r"\{(?P<name>[a-z]+)\}")


def with_releases(text: str) -> str:
    """Put releases where a text names them by what they do.

    `{from step=demanded}` is the first accelerate with that setting in `knowledge.releases`,
    `{torch_refuses_by_default}` the constant of that name there.

    Raises:
        StopIteration: no release has that setting.
        AttributeError: there is no such setting or constant.
    """
    text = _RELEASE.sub(lambda m: _short(str(_first_with(m["field"], m["value"]))), text)
    return _BORDER.sub(lambda m: str(getattr(releases, m["name"].upper())), text)


def _first_with(field: str, value: str) -> object:
    wanted: str | bool = {"true": True, "false": False}.get(value, value)
    return releases.first_with(**{field: wanted})


def _short(release: str) -> str:
    """`0.32` for `0.32.0`."""
    return release.removesuffix(".0") if release.count(".") > 1 else release


def filled(text: str, carried: Mapping[str, str], defaults: Mapping[str, str]) -> str:
    """Put what the message carries into a text.

    Args:
        text: with placeholders such as `{name}`; what is not known stays as it stands.
        carried: placeholder -> value.
        defaults: placeholder -> value where `carried` has none.
    """
    known = {**defaults, **carried}
    return _CARRIED.sub(lambda m: known.get(m["name"], m[0]), text)


def as_argument(path: str) -> str:
    """A path as it is written in a shell."""
    return shlex.quote(path)
