"""What speaks for and against each cause of a failure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.checkpoint.explain.catalogue import CauseEntry, Mode
from ckptmatrix.checkpoint.explain.failures import Failure, Trace
from ckptmatrix.knowledge.causes import CauseId

Known = Mapping[str, tuple[str, ...]]
"""Package -> the versions that it can be; a package that is missing can be any."""
Predicted = frozenset[CauseId | None]
"""What loading the checkpoint at hand comes to; None among it for everything restored."""
QUOTED = 160
"""Characters of a line that are quoted as a reason."""


class Likelihood(StrEnum):
    """Whether a cause is the one."""

    SHOWN = "shown"
    POSSIBLE = "possible"
    RULED_OUT = "ruled out"


@dataclass(frozen=True)
class Weighed:
    """A cause with what speaks for or against it."""

    cause: CauseEntry
    """The cause."""
    verdict: Likelihood
    """Whether it is the one."""
    because: str
    """Why it is shown or ruled out; empty for what is merely possible."""


def weigh(
    mode: Mode,
    failure: Failure | None,
    trace: Trace,
    known: Known,
    predicted: Predicted,
) -> tuple[Weighed, ...]:
    """Weigh every cause of a mode.

    Args:
        mode: what happened.
        failure: the exception; None if only a line of the log tells.
        trace: the text.
        known: versions.
        predicted: what loading the checkpoint at hand comes to; empty if none is at hand.

    Returns:
        The likeliest first.
    """
    said = _said(mode, failure.words) if failure else {}
    signs = said or _said(mode, trace.text)
    weighed = [_weigh(cause, signs, said, failure, known, predicted) for cause in mode.cause]
    weighed = _decided_by_versions(weighed, known)
    order = list(Likelihood)
    return tuple(sorted(weighed, key=lambda one: order.index(one.verdict)))


def _weigh(
    cause: CauseEntry,
    signs: Mapping[str, str],
    said: Mapping[str, str],
    failure: Failure | None,
    known: Known,
    predicted: Predicted,
) -> Weighed:
    against = contradicted(cause, known)
    if not against and cause.ranks == "others" and failure and failure.rank == 0:
        against = "it never strikes rank 0"
    if not against and said and cause.signs and cause.id not in said:
        against = "the message would say something else"
    sign = f"the text says: {signs[cause.id]}" if cause.id in signs else ""
    own = {*cause.predicted, *([None] if cause.predicts_exact else [])}
    here = predicted & own
    if predicted and own and not here:
        against = against or "the checkpoint itself speaks against it"
    elif here == predicted and here:
        sign = sign or "what is in the checkpoint leads to this, with these versions"
    if against:
        return Weighed(cause, Likelihood.RULED_OUT, against)
    return Weighed(cause, Likelihood.SHOWN if sign else Likelihood.POSSIBLE, sign)


def _decided_by_versions(weighed: list[Weighed], known: Known) -> list[Weighed]:
    """Where versions alone decide, the cause is certain and every other one ruled out."""
    if any(one.verdict is Likelihood.SHOWN for one in weighed):
        return weighed
    certain = next((one for one in weighed if _is_certain(one, known)), None)
    if certain is None:
        return weighed
    said = ", ".join(f"{package} {known[package][0]}" for package in certain.cause.versions)
    other = f"with {said} it happens whatever the checkpoint holds"
    return [
        Weighed(one.cause, Likelihood.SHOWN, f"the versions alone decide: {said}")
        if one is certain
        else Weighed(one.cause, Likelihood.RULED_OUT, one.because or other)
        for one in weighed
    ]


def _is_certain(one: Weighed, known: Known) -> bool:
    return (
        one.verdict is Likelihood.POSSIBLE
        and one.cause.certain
        and all(
            known.get(package) and all(_allows(wanted, version) for version in known[package])
            for package, wanted in one.cause.versions.items()
        )
    )


def contradicted(cause: CauseEntry, known: Known) -> str:
    """Why a cause is ruled out by what is known of versions; empty if it is not."""
    for package, wanted in cause.versions.items():
        versions = known.get(package, ())
        if versions and not any(_allows(wanted, version) for version in versions):
            return f"it takes {package} {wanted}, here it is {versions[0]}"
    return ""


def _allows(wanted: str, version: str) -> bool:
    return SpecifierSet(wanted).contains(Version(version).base_version, prereleases=True)


def _said(mode: Mode, text: str) -> dict[str, str]:
    """Cause -> the words of a text that show it. Those of the message decide before all others."""
    found = {cause.id: _sign(cause, text) for cause in mode.cause}
    return {id_: words for id_, words in found.items() if words}


def _sign(cause: CauseEntry, text: str) -> str:
    """The first words that show a cause, with some of what stands around them."""
    for pattern in cause.signs:
        if match := re.search(pattern, text):
            start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - QUOTED // 2)
            return text[start : start + QUOTED].partition("\n")[0].strip()
    return ""
