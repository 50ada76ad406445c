"""From a text to a diagnosis: release, failure, causes in the order of likelihood, remedy."""

import re
from dataclasses import dataclass

from ckptmatrix.checkpoint.explain import lines
from ckptmatrix.checkpoint.explain.catalogue import (
    CauseEntry,
    Mode,
    catalogue,
    contradicted,
    recognised,
)
from ckptmatrix.checkpoint.explain.traces import Failure, Frame, Trace, read_trace
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.outlook import NUMPY_STARTS, TORCH_STARTS
from ckptmatrix.checkpoint.inspect.prediction import predict
from ckptmatrix.knowledge import releases
from ckptmatrix.model import Status


@dataclass(frozen=True)
class Located:
    """A frame inside accelerate with the releases that have it."""

    frame: Frame
    """The frame."""
    match: lines.Match
    """What the index says."""


@dataclass(frozen=True)
class Weighed:
    """A cause with what speaks for or against it."""

    cause: CauseEntry
    """The cause."""
    verdict: str
    """`shown` by the text itself, `possible`, or `ruled out`."""
    because: str
    """Why it is shown or ruled out; empty for what is merely possible."""


@dataclass(frozen=True)
class Diagnosis:
    """What one exception, or one line of a log, means."""

    failure: Failure | None
    """The exception; None if only a line of the log tells."""
    line: str
    """That line of the log; empty for an exception."""
    located: tuple[Located, ...]
    """Frames inside accelerate, outermost first."""
    releases: tuple[str, ...]
    """Releases that fit every frame whose code is shown, oldest first; empty if not known."""
    modes: tuple[str, ...]
    """Ids of the failure modes that fit, the most specific first; empty if it is not known."""
    causes: tuple[Weighed, ...]
    """Causes of the first of them, the likeliest first."""

    @property
    def mode(self) -> Mode | None:
        """The mode that is meant; None if nothing is known."""
        return catalogue()[self.modes[0]] if self.modes else None

    @property
    def remedy(self) -> str:
        """The remedy for this case, if the causes are narrowed down to one; else empty."""
        shown = [w for w in self.causes if w.verdict == "shown"]
        open_ = [w for w in self.causes if w.verdict == "possible"]
        left = shown or open_
        return left[0].cause.remedy if len(left) == 1 else ""


def diagnose(
    text: str, versions: dict[str, str] | None = None, facts: Facts | None = None
) -> tuple[Diagnosis, ...]:
    """Explain a text.

    Args:
        text: a traceback or a log.
        versions: package -> version that is known from elsewhere; overrides the text's.
        facts: what was read of the checkpoint that was loaded, if it is at hand.

    Returns:
        One diagnosis for each exception, the last one of the text first, then those of log lines
        that tell of a silent failure. Empty if the text has neither.
    """
    trace = read_trace(text)
    mentioned = {**trace.versions, **(versions or {})}
    found = [_diagnose(failure, trace, mentioned, facts) for failure in reversed(trace.failures)]
    logged = _diagnose(None, trace, mentioned, facts)
    explained = {mode for one in found for mode in one.modes}
    if logged.modes and not explained & set(logged.modes):
        found.append(logged)
    return tuple(_distinct(found))


def _distinct(found: list[Diagnosis]) -> list[Diagnosis]:
    """Each failure once, though several processes report it; known ones before unknown ones."""
    seen: dict[tuple[object, ...], Diagnosis] = {}
    for one in found:
        failure = one.failure
        key = (failure.type, failure.message, one.modes) if failure else (one.line, one.modes)
        seen.setdefault(key, one)
    return sorted(seen.values(), key=lambda one: not one.modes)


def _diagnose(
    failure: Failure | None, trace: Trace, mentioned: dict[str, str], facts: Facts | None
) -> Diagnosis:
    located = []
    for frame in failure.frames if failure else ():
        match = lines.match(frame.path, frame.line, frame.function, frame.code)
        if match is not None:
            located.append(Located(frame, match))
    releases = _common(located)
    modes = recognised(failure, trace)
    known: dict[str, tuple[str, ...]] = {name: (version,) for name, version in mentioned.items()}
    if releases and "accelerate" not in known:
        known["accelerate"] = releases
    raised = failure is not None
    foretold: frozenset[str] = (
        frozenset() if facts is None else foretold_causes(facts, known, raised)
    )
    causes = _weigh(catalogue()[modes[0]], failure, trace, known, foretold) if modes else ()
    return Diagnosis(
        failure=failure,
        line="" if failure or not modes else _telling_line(modes[0], trace),
        located=tuple(located),
        releases=releases,
        modes=tuple(modes),
        causes=causes,
    )


def _common(located: list[Located]) -> tuple[str, ...]:
    """Releases that fit all frames; frames that fit none (edited files) are left aside."""
    sets = [set(item.match.releases) for item in located if item.match.by == "code"]
    sets = sets or [set(item.match.releases) for item in located if item.match.by == "function"]
    if not sets:
        return ()
    common = set.intersection(*sets)
    order = lines.load_index().releases
    return tuple(sorted(common, key=order.index))


def _telling_line(mode: str, trace: Trace) -> str:
    patterns = [match.log for match in catalogue()[mode].match if match.log]
    telling = (line.strip() for line in trace.lines if any(re.search(p, line) for p in patterns))
    return next(telling, "")


def foretold_causes(
    facts: Facts, known: dict[str, tuple[str, ...]], raised: bool
) -> frozenset[str]:
    """What loading this checkpoint comes to in the environments that the versions allow.

    Args:
        facts: what was read of it.
        known: package -> versions it can be; a package that is missing can be anything.
        raised: whether the load raised; then only environments in which it does so count.

    Returns:
        Causes of `predict`; `exact` stands for an outcome without one.
    """
    wanted = (Status.FAILED,) if raised else (Status.EXACT, Status.DEGRADED)
    outcomes = (
        predict(facts, release, torch, numpy)
        for release in known.get("accelerate") or tuple(map(str, releases.ACCELERATE.starts))
        for torch in known.get("torch", TORCH_STARTS)
        for numpy in known.get("numpy", NUMPY_STARTS)
    )
    return frozenset(one.cause or "exact" for one in outcomes if one.status in wanted)


def _weigh(
    mode: Mode,
    failure: Failure | None,
    trace: Trace,
    known: dict[str, tuple[str, ...]],
    foretold: frozenset[str],
) -> tuple[Weighed, ...]:
    weighed = []
    for cause in mode.cause:
        against = contradicted(cause, known)
        if not against and cause.ranks == "others" and failure and failure.rank == 0:
            against = "it never strikes rank 0"
        sign = _sign(cause, trace)
        here = foretold & set(cause.foretold)
        if foretold and cause.foretold and not here:
            against = against or "the checkpoint itself speaks against it"
        elif here == foretold and here:
            sign = sign or "what is in the checkpoint leads to this, with these versions"
        if against:
            weighed.append(Weighed(cause, "ruled out", against))
        elif sign:
            weighed.append(Weighed(cause, "shown", sign))
        else:
            weighed.append(Weighed(cause, "possible", ""))
    order = ("shown", "possible", "ruled out")
    return tuple(sorted(weighed, key=lambda item: order.index(item.verdict)))


def _sign(cause: CauseEntry, trace: Trace) -> str:
    for pattern in cause.signs:
        for line in trace.lines:
            if re.search(pattern, line):
                return f"the text says: {line.strip()[:160]}"
    return ""
