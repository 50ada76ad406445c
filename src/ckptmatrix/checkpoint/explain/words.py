"""Placeholders of the texts of modes: versions by what they do, and what a message carries."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ckptmatrix.knowledge.releases import ACCELERATE, NUMPY, TORCH
from ckptmatrix.knowledge.timeline import Timeline

_TIMELINES: dict[str, Timeline[Any]] = {"accelerate": ACCELERATE, "torch": TORCH, "numpy": NUMPY}
_VERSION = re.compile(
    r"\{(?P<form>from|span|spec|value) (?P<package>accelerate|torch|numpy) (?P<wanted>[^}]+)\}"
)
_CARRIED = re.compile(r"\{(?P<name>[a-z]+)\}")


def with_versions(text: str) -> str:
    """Put versions where a text names them by what they do, as `knowledge.releases` knows it.

    `{from accelerate step=demanded}` is the first version of which that holds, `{span accelerate
    step=demanded}` all of them in words, `{spec torch refuses_by_default=true}` as a specifier;
    several conditions are separated by semicolons. `{value accelerate weights_only_from}` is what
    the newest version has there.

    Raises:
        AttributeError: there is no such setting.
        ValueError: it holds of no version.
    """
    return _VERSION.sub(_answer, text)


def _answer(match: re.Match[str]) -> str:
    timeline, wanted = _TIMELINES[match["package"]], match["wanted"]
    if match["form"] == "value":
        return str(getattr(timeline.at(str(timeline.starts[-1])), wanted))
    pairs = (pair.strip().split("=", 1) for pair in wanted.split(";"))
    conditions = {name: _value(value) for name, value in pairs}
    if match["form"] == "from":
        return _short(str(timeline.first_with(**conditions)))
    spans = timeline.spans_of(**conditions)
    if match["form"] == "span":
        return ", ".join(span.words for span in spans)
    if len(spans) > 1:
        raise ValueError(f"{match[0]} is no single span of versions")
    return spans[0].specifier


def _value(text: str) -> bool | int | str:
    """A setting as it stands in the table."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isascii() and text.isdigit() else text


def _short(version: str) -> str:
    """`0.32` for `0.32.0`."""
    return version.removesuffix(".0") if version.count(".") > 1 else version


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
