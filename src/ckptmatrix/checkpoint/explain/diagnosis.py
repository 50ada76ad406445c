"""From a text to diagnoses: what failed, in which release, by which cause, what to do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from ckptmatrix.checkpoint.explain.answers import Answer, Diagnosis
from ckptmatrix.checkpoint.explain.catalogue import Mode, catalogue
from ckptmatrix.checkpoint.explain.echoes import echo_of
from ckptmatrix.checkpoint.explain.failures import Failure, Link, Trace
from ckptmatrix.checkpoint.explain.matching import Recognised, logged, recognised
from ckptmatrix.checkpoint.explain.origin import Origin, origin_of
from ckptmatrix.checkpoint.explain.phases import whereabouts
from ckptmatrix.checkpoint.explain.predicted import predicted_causes
from ckptmatrix.checkpoint.explain.traces import read_trace
from ckptmatrix.checkpoint.explain.weighing import Known, Likelihood, Predicted, Weighed, weigh
from ckptmatrix.checkpoint.explain.words import as_argument, filled
from ckptmatrix.checkpoint.inspect.facts import Facts

CHAINS_LIMIT = 100
"""Different chains of one text that are diagnosed."""
LINKS_LIMIT = 50
"""Exceptions of one chain that are looked at."""


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
    raised = [case.of_chain(chain, ranks) for chain, ranks in _distinct(trace)]
    told = {mode for one in raised for mode in one.modes}
    told |= {mode for one in raised if one.mode for mode in one.mode.covers}
    lines = [case.of_line(id_, line) for id_, line in logged(trace).items() if id_ not in told]
    found = [*raised, *lines]
    if any(one.answer is not Answer.ECHO for one in found):
        found = [one for one in found if one.answer is not Answer.ECHO]
    return tuple(sorted(found, key=_weight))


def _distinct(trace: Trace) -> list[tuple[tuple[Failure, ...], tuple[int, ...]]]:
    """Each chain once with the processes that report it, the last one of the text first.

    Chains are the same if their exceptions are, numbers aside; of very many different ones the
    last `CHAINS_LIMIT` are looked at.
    """
    found: dict[object, tuple[tuple[Failure, ...], set[int]]] = {}
    for chain in reversed(trace.chains):
        key = tuple((one.type, re.sub(r"\d+", "#", one.words[:500])) for one in chain[-8:])
        if key not in found and len(found) == CHAINS_LIMIT:
            break
        ranks = found.setdefault(key, (chain, set()))[1]
        ranks.update(one.rank for one in chain if one.rank is not None)
    return [(chain, tuple(sorted(ranks))) for chain, ranks in found.values()]


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

    def of_chain(self, chain: tuple[Failure, ...], ranks: tuple[int, ...]) -> Diagnosis:
        """Diagnose a chain by the exception that tells most."""
        chain = chain[-LINKS_LIMIT:]
        fits = [recognised(failure) for failure in chain]
        at = _telling(chain, fits)
        failure, fit = chain[at], fits[at]
        origin = origin_of(failure.frames)
        known = self._known(origin)
        one = Diagnosis(
            Answer.UNKNOWN, failure, chain, "", origin, fit.modes, fit.candidates, (), known,
            whereabouts=whereabouts(failure, self.trace), looked=self.facts is not None,
            directory=self._directory(), carried=fit.carried, ranks=ranks,
        )  # fmt: skip
        if one.mode is not None:
            causes = self._causes(one.mode, failure, known, dict(fit.carried))
            excluded = all(weighed.verdict is Likelihood.RULED_OUT for weighed in causes)
            return replace(one, answer=Answer.EXCLUDED if excluded else Answer.KNOWN, causes=causes)
        if echo := echo_of(failure):
            return replace(one, answer=Answer.ECHO, echo=echo, candidates=())
        return replace(one, answer=Answer.UNDECIDED) if fit.candidates else one

    def of_line(self, id_: str, line: str) -> Diagnosis:
        """Diagnose a line of the log."""
        known = self._known(Origin())
        causes = self._causes(catalogue()[id_], None, known, {})
        excluded = all(weighed.verdict is Likelihood.RULED_OUT for weighed in causes)
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
        predicted: Predicted = frozenset()
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
