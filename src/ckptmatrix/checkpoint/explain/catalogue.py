"""The known failure modes: one TOML file each in `modes/`; adding one touches nothing else."""

import re
import tomllib
from functools import cache
from importlib.resources import files

import msgspec
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.checkpoint.explain.traces import Failure, Trace


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the text must hold. All that is given must fit; a mode may have several of these."""

    type: str = ""
    """Regular expression that the exception's class must match as a whole, module aside."""
    message: str = ""
    """Regular expression searched in the exception's message."""
    code: str = ""
    """Regular expression searched in the code, function and file of its frames, one by one, as
    `file:function:code`."""
    log: str = ""
    """Regular expression searched in each line of the text, where there is no exception."""


class CauseEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One possible cause of a failure."""

    title: str
    """The cause, one line."""
    tell: str
    """How to tell it from the others."""
    remedy: str
    """What to do, for this cause."""
    accelerate: str = ""
    """Releases in which it can happen."""
    torch: str = ""
    """Versions of torch with which it can happen."""
    numpy: str = ""
    """Versions of numpy with which it can happen."""
    signs: list[str] = []
    """Regular expressions; one found in the text shows that this is the cause."""
    foretold: list[str] = []
    """Causes of `inspect.prediction` that are this one; `exact` if nothing is lost."""
    ranks: str = ""
    """`others` if it strikes processes other than the first only."""


class Mode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One failure mode."""

    title: str
    """What happens, one line."""
    explanation: str
    """What it means and what is already loaded by then."""
    match: list[Match]
    """How it is recognised."""
    cause: list[CauseEntry]
    """Why it happens; the most frequent first."""
    links: list[str] = []
    """Upstream issues and pull requests."""
    rank: int = 0
    """Of several modes that fit, the one with the highest rank is meant."""


@cache
def catalogue() -> dict[str, Mode]:
    """Every mode by id, the name of its file."""
    folder = files(__package__).joinpath("modes")
    return {
        entry.name.removesuffix(".toml"): msgspec.convert(
            tomllib.loads(entry.read_text("utf-8")), Mode
        )
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".toml")
    }


def recognised(failure: Failure | None, trace: Trace) -> list[str]:
    """Ids of the modes that fit an exception; without one, those that fit a line of the log.

    Returns:
        The most specific first.
    """
    fitting = [
        (mode.rank, how, id_)
        for id_, mode in catalogue().items()
        if (how := max((_fit(match, failure, trace) for match in mode.match), default=0))
    ]
    return [id_ for _, _, id_ in sorted(fitting, key=lambda item: (-item[0], -item[1], item[2]))]


def _fit(match: Match, failure: Failure | None, trace: Trace) -> int:
    """How many demands of a match are met; 0 if not all are."""
    if failure is None:
        if not match.log:
            return 0
        return int(any(re.search(match.log, line) for line in trace.lines))
    if match.log:
        return 0
    asked = 0
    if match.type:
        if not re.fullmatch(match.type, failure.type.rpartition(".")[2]):
            return 0
        asked += 1
    if match.message:
        if not re.search(match.message, failure.message, re.MULTILINE):
            return 0
        asked += 1
    if match.code:
        shown = (f"{f.path}:{f.function}:{f.code}" for f in failure.frames)
        if not any(re.search(match.code, line) for line in shown):
            return 0
        asked += 1
    return asked


def contradicted(cause: CauseEntry, versions: dict[str, tuple[str, ...]]) -> str:
    """Why a cause is ruled out by what is known of versions; empty if it is not.

    Args:
        cause: the cause.
        versions: package -> the versions that it can be.
    """
    for package in ("accelerate", "torch", "numpy"):
        wanted = getattr(cause, package)
        known = versions.get(package, ())
        if wanted and known:
            allowed = SpecifierSet(wanted)
            if not any(allowed.contains(Version(v).base_version) for v in known):
                return f"it takes {package} {wanted}, here it is {known[0]}"
    return ""
