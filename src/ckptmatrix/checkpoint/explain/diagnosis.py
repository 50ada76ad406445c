"""From a text to diagnoses: what failed, in which release, by which cause, what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from ckptmatrix.checkpoint.explain.catalogue import Mode, catalogue
from ckptmatrix.checkpoint.explain.echoes import Echo, echo_of
from ckptmatrix.checkpoint.explain.matching import Recognised, logged, recognised
from ckptmatrix.checkpoint.explain.origin import Origin, origin_of
from ckptmatrix.checkpoint.explain.phases import Whereabouts, whereabouts
from ckptmatrix.checkpoint.explain.predicted import predicted_causes
from ckptmatrix.checkpoint.explain.traces import Failure, Link, Trace, read_trace
from ckptmatrix.checkpoint.explain.weighing import Known, Verdict, Weighed, weigh
from ckptmatrix.checkpoint.explain.words import as_argument, filled
from ckptmatrix.checkpoint.inspect.facts import Facts


class Answer(StrEnum):
    """What can be said of a failure."""

    KNOWN = "known"
    """It is a known one, and at least one of its causes can be the case."""
    EXCLUDED = "excluded"
    """It looks like a known one, but every cause of that is ruled out."""
    UNDECIDED = "undecided"
    """Its message fits known ones, but the text does not show where it was raised."""
    ECHO = "echo"
    """It only reports another exception, which is not in the text."""
    UNKNOWN = "unknown"
    """It is none of the known ones."""


@dataclass(frozen=True)
class Diagnosis:
    """What one chain of exceptions, or one line of a log, means."""

    answer: Answer
    """What can be said of it."""
    failure: Failure | None
    """The exception that tells most; None if only a line of the log tells."""
    chain: tuple[Failure, ...]
    """The whole chain that it belongs to, the exception that was raised first before the others."""
    line: str
    """The line of the log; empty for an exception."""
    origin: Origin
    """What its frames say of accelerate's release."""
    modes: tuple[str, ...]
    """Ids of the known failures that it fits; empty if there is none."""
    candidates: tuple[str, ...]
    """Ids of those that it would fit if it was raised where they are."""
    causes: tuple[Weighed, ...]
    """Causes of the first of the modes, their texts filled in, the likeliest first."""
    known: Known
    """Package -> the versions that it can be, by the text, by its frames, or as given."""
    whereabouts: Whereabouts | None = None
    """What was going on, where the frames show it."""
    echo: Echo | None = None
    """What the exception says of another one, if that is all it does."""
    ranks: tuple[int, ...] = ()
    """Processes that report it."""
    looked: bool = False
    """Whether the checkpoint itself was looked at."""
    directory: str = "DIR"
    """The checkpoint's directory as an argument of a command, if it is known."""
    carried: tuple[tuple[str, str], ...] = ()
    """Placeholder -> what the message says for it."""

    @property
    def mode(self) -> Mode | None:
        """The known failure; None if it is none."""
        return catalogue()[self.modes[0]] if self.modes else None

    @property
    def title(self) -> str:
        """The known failure in one line, with what the message says; empty if it is none."""
        return filled(self.mode.title, dict(self.carried), self.mode.defaults) if self.mode else ""

    @property
    def command(self) -> str:
        """The command or line of code that comes next; empty if there is no single one."""
        if self.decided is not None:
            return self.decided.cause.command
        if self.whereabouts is not None and self.answer is not Answer.KNOWN:
            return filled(self.whereabouts.command, {"dir": self.directory}, {})
        return ""

    @property
    def asked(self) -> str:
        """Options of the command that would tell the causes apart; empty if none would."""
        still = [one.cause for one in self.causes if one.verdict is Verdict.POSSIBLE]
        packages = {name for cause in still for name in cause.versions}
        pins = " ".join(f"{name}==..." for name in sorted(packages) if name not in self.known)
        inside = "--checkpoint DIR" if any(c.predicted for c in still) and not self.looked else ""
        return " ".join(filter(None, (inside, f"--with '{pins}'" if pins else "")))

    @property
    def decided(self) -> Weighed | None:
        """The cause, if there is only one left."""
        shown = [one for one in self.causes if one.verdict is Verdict.SHOWN]
        possible = [one for one in self.causes if one.verdict is Verdict.POSSIBLE]
        left = shown or possible
        return left[0] if len(left) == 1 else None

    @property
    def remedy(self) -> str:
        """The remedy for this case, if the causes are narrowed down to one; else empty."""
        return self.decided.cause.remedy if self.decided else ""


def diagnose(
    text: str, versions: Mapping[str, str] | None = None, facts: Facts | None = None
) -> tuple[Diagnosis, ...]:
    """Explain a text.

    Args:
        text: a traceback or a log.
        versions: package -> version that is known from elsewhere; overrides the text's.
        facts: what was read of the checkpoint that was loaded, if it is at hand.

    Returns:
        One diagnosis for each chain of exceptions, the last one of the text first, known ones
        before others; then those of log lines that tell of a silent failure. Empty if the text has
        neither.
    """
    trace = read_trace(text)
    case = _Case(trace, {name: (version,) for name, version in (versions or {}).items()}, facts)
    raised = [case.of_chain(chain) for chain in reversed(trace.chains)]
    told = {mode for one in raised for mode in one.modes}
    told |= {mode for one in raised if one.mode for mode in one.mode.covers}
    lines = [case.of_line(id_, line) for id_, line in logged(trace).items() if id_ not in told]
    return _ordered([*raised, *lines])


def _ordered(found: list[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Each failure once, though several processes report it; what tells most first."""
    distinct: dict[object, Diagnosis] = {}
    for one in found:
        failure = one.failure
        key = (one.modes, failure and (failure.type, re.sub(r"\d+", "#", failure.words)), one.line)
        first = distinct.setdefault(key, one)
        if failure is not None and failure.rank is not None:
            ranks = {*first.ranks, failure.rank}
            distinct[key] = replace(first, ranks=tuple(sorted(ranks)))
    kept = list(distinct.values())
    if any(one.answer is not Answer.ECHO for one in kept):
        kept = [one for one in kept if one.answer is not Answer.ECHO]
    return tuple(sorted(kept, key=_weight))


def _weight(one: Diagnosis) -> int:
    if one.mode is not None and one.mode.harmless:
        return 3
    if one.failure is None:
        return 2
    return 1 if one.answer is Answer.UNKNOWN else 0


@dataclass(frozen=True)
class _Case:
    """What is common to all diagnoses of one text."""

    trace: Trace
    given: Known
    facts: Facts | None

    def of_chain(self, chain: tuple[Failure, ...]) -> Diagnosis:
        """Diagnose a chain by the exception that tells most."""
        fits = [recognised(failure) for failure in chain]
        at = _telling(chain, fits)
        failure, fit = chain[at], fits[at]
        origin = origin_of(failure.frames)
        known = self._known(origin)
        one = Diagnosis(
            Answer.UNKNOWN, failure, chain, "", origin, fit.modes, fit.candidates, (), known,
            whereabouts=whereabouts(failure, self.trace), looked=self.facts is not None,
            directory=self._directory(), carried=fit.carried,
        )  # fmt: skip
        if one.mode is not None:
            causes = self._causes(one.mode, failure, known, dict(fit.carried))
            excluded = all(weighed.verdict is Verdict.RULED_OUT for weighed in causes)
            return replace(
                one, answer=Answer.EXCLUDED if excluded else Answer.KNOWN, causes=causes
            )
        if echo := echo_of(failure):
            return replace(one, answer=Answer.ECHO, echo=echo, candidates=())
        return replace(one, answer=Answer.UNDECIDED) if fit.candidates else one

    def of_line(self, id_: str, line: str) -> Diagnosis:
        """Diagnose a line of the log."""
        known = self._known(Origin())
        causes = self._causes(catalogue()[id_], None, known, {})
        excluded = all(weighed.verdict is Verdict.RULED_OUT for weighed in causes)
        answer = Answer.EXCLUDED if excluded else Answer.KNOWN
        return Diagnosis(
            answer, None, (), line, Origin(), (id_,), (), causes, known,
            looked=self.facts is not None, directory=self._directory(),
        )  # fmt: skip

    def _known(self, origin: Origin) -> Known:
        """Versions as given, else as the text says; its frames overrule what it says."""
        mentioned = self.trace.versions
        known = {**mentioned, **self.given}
        if origin.releases and "accelerate" not in self.given:
            said = set(mentioned.get("accelerate", ()))
            agreed = tuple(release for release in origin.releases if release in said)
            known["accelerate"] = agreed or origin.releases
        return known

    def _causes(
        self, mode: Mode, failure: Failure | None, known: Known, carried: dict[str, str]
    ) -> tuple[Weighed, ...]:
        predicted: frozenset[str] = frozenset()
        if self.facts is not None:
            predicted = predicted_causes(self.facts, known, raised=failure is not None)
        carried = {**carried, "dir": self._directory()}
        weighed = weigh(mode, failure, self.trace, known, predicted)
        return tuple(_filled(one, carried, mode.defaults) for one in weighed)

    def _directory(self) -> str:
        """The checkpoint's directory as an argument of a command, if it is known."""
        if self.facts is not None:
            return as_argument(self.facts.directory)
        loading = re.search(r"Loading states from ([^\n]{1,300})", self.trace.text)
        return as_argument(loading[1].strip()) if loading else "DIR"


def _telling(chain: tuple[Failure, ...], fits: list[Recognised]) -> int:
    """Which exception of a chain tells most.

    The last known one; what directly caused it, if that is known too and not covered; without a
    known one the last that is no echo.
    """
    known = [at for at, fit in enumerate(fits) if fit.modes]
    if known:
        at = known[-1]
        while at and chain[at].link is Link.CAUSE and fits[at - 1].modes:
            if fits[at - 1].modes[0] in catalogue()[fits[at].modes[0]].covers:
                break
            at -= 1
        return at
    own = [at for at, failure in enumerate(chain) if echo_of(failure) is None]
    return own[-1] if own else len(chain) - 1


def _filled(one: Weighed, carried: Mapping[str, str], defaults: Mapping[str, str]) -> Weighed:
    """A cause with its placeholders filled."""
    texts = {
        name: filled(getattr(one.cause, name), carried, defaults)
        for name in ("title", "tell", "remedy", "command")
    }
    cause = msgspec.structs.replace(one.cause, **texts)
    return replace(one, cause=cause)
