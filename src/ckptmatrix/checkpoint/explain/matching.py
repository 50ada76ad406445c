"""Which known failures an exception, or a log, is."""

import re
from dataclasses import dataclass
from enum import Enum
from fnmatch import translate
from functools import cache

from ckptmatrix.checkpoint.explain.catalogue import Match, catalogue
from ckptmatrix.checkpoint.explain.failures import Failure, Trace
from ckptmatrix.checkpoint.explain.frames import Frame


class Fit(Enum):
    """How far a match fits."""

    NO = 0
    WITHOUT_FRAMES = 1
    """Type and message fit; where it was raised is asked for, and the text does not show it."""
    YES = 2


@dataclass(frozen=True)
class Recognised:
    """The modes that an exception fits."""

    modes: tuple[str, ...] = ()
    """Ids; more than one only if two modes are not told apart well enough."""
    candidates: tuple[str, ...] = ()
    """Ids of those that it fits as far as the text goes: frames are missing to make sure."""
    carried: tuple[tuple[str, str], ...] = ()
    """Placeholder -> what the message says, for the first mode."""


def recognised(failure: Failure) -> Recognised:
    """Find the modes that fit an exception."""
    fits: dict[str, tuple[Fit, dict[str, str]]] = {}
    for id_, match in (*_matches().get(failure.name, ()), *_matches().get("", ())):
        found = _fit(match, failure)
        if found[0].value > fits.get(id_, (Fit.NO, {}))[0].value:
            fits[id_] = found
    modes = tuple(id_ for id_, (fit, _) in fits.items() if fit is Fit.YES)
    candidates = tuple(id_ for id_, (fit, _) in fits.items() if fit is Fit.WITHOUT_FRAMES)
    carried = fits[modes[0]][1] if modes else {}
    return Recognised(modes, candidates, tuple(carried.items()))


@cache
def _matches() -> dict[str, list[tuple[str, Match]]]:
    """Class -> the matches that ask for it, with their modes; empty for those that ask for none."""
    found: dict[str, list[tuple[str, Match]]] = {}
    for id_, mode in catalogue().items():
        for match in mode.match:
            for name in match.type or [""]:
                found.setdefault(name, []).append((id_, match))
    return found


def logged(trace: Trace) -> dict[str, str]:
    """Mode -> the first line that tells of it, for the modes that a log line shows."""
    found: dict[str, str] = {}
    for id_, mode in catalogue().items():
        for words in (words for match in mode.match for words in match.log):
            at = trace.text.find(words)
            if at >= 0 and id_ not in found:
                start = trace.text.rfind("\n", 0, at) + 1
                end = trace.text.find("\n", at)
                found[id_] = trace.text[start : end if end >= 0 else None].strip()
    return found


def _fit(match: Match, failure: Failure) -> tuple[Fit, dict[str, str]]:
    """How a match fits, and what its named groups caught."""
    no: tuple[Fit, dict[str, str]] = (Fit.NO, {})
    if match.log:
        return no
    words = failure.words
    found = re.search(match.message, words)
    if found is None or (match.unless and re.search(match.unless, words)):
        return no
    carried = {name: value for name, value in found.groupdict().items() if value}
    raised = failure.raised
    if raised is None:
        if not match.raised and not match.passes:
            return Fit.YES, carried
        return (Fit.WITHOUT_FRAMES if match.hint else Fit.NO), carried
    if match.raised and not in_places(raised, match.raised):
        return no
    if in_places(raised, match.not_raised):
        return no
    if match.passes and not any(in_places(frame, match.passes) for frame in failure.frames):
        return no
    if any(in_places(frame, match.avoids) for frame in failure.frames):
        return no
    return Fit.YES, carried


def in_places(frame: Frame, places: list[str]) -> bool:
    """Whether a frame is in one of some places, written as `catalogue.Match` says."""
    return any(_in_place(frame, place) for place in places)


def _in_place(frame: Frame, place: str) -> bool:
    where, code = _patterns(place)
    if not where.fullmatch(f"/{frame.place}"):
        return False
    return code is None or not frame.code or code.match(frame.code) is not None


@cache
def _patterns(place: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    """Patterns of `/path:function` and of the code, None if any code will do."""
    path, functions, *code = place.split(":", 2)
    where = "|".join(translate(f"*/{path}:{function}") for function in functions.split("|"))
    return re.compile(where), re.compile(translate(code[0])) if code else None
