"""Faults: what went wrong beside every release, told once for all that it went wrong in. Pure."""

import re
import traceback
from collections.abc import Iterable

from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.model import Fault, Problem, ProblemKind
from ckptmatrix.worker.protocol import NotReturned
from ckptmatrix.worker.words import Ending

_FRAMES = 4
_FRAME = re.compile(r"^  File .*(?:\n    .*)*", re.MULTILINE)
_BUNDLE = re.compile(r"/\S*/bundles/[0-9a-f]+/")
"""Where the worker's code was copied to; what follows is its place in the package."""
_ENVIRONMENT = re.compile(r"/\S*/environments/(accelerate-[^/\s]+)-[0-9a-f]{8}/")
"""An environment's folder."""


class HarnessError(CkptmatrixError):
    """ckptmatrix or a script failed on a cell: it has no outcome, and the run must not look whole.

    Args:
        message: what happened, one sentence.
        remedy: what to do about it.
        fault: the same as a value, where it came from a worker.
    """

    def __init__(self, message: str, remedy: str = "", fault: Fault | None = None) -> None:
        super().__init__(message, remedy)
        self.fault = fault

    @classmethod
    def of(cls, fault: Fault) -> "HarnessError":
        """The error that a fault is."""
        message = f"{fault.scenario} in {fault.environment}: {fault.sentence}"
        return cls(message, f"mend that and run again:\n{fault.traceback}", fault)


def fault_of(answer: NotReturned, scenario: str, environment: str, log: str = "") -> Fault:
    """The fault that a worker's answer tells of.

    Args:
        answer: how it ended.
        scenario: name of the scenario.
        environment: id of the environment.
        log: the worker's log.
    """
    origin, detail = answer.origin, _told(answer.detail)
    if origin is None:
        how = answer.how
        last = detail.strip().splitlines()[-1] if how is Ending.RAISED else detail
        return Fault(scenario, environment, "", str(how), last, log=log)
    return Fault(
        scenario,
        environment,
        origin.phase,
        origin.type,
        _told(origin.message),
        _told(origin.file),
        origin.line,
        last_frames(detail),
        log,
    )


def _told(text: str) -> str:
    """Without the places that an environment and the worker's code lie in on this machine."""
    return _ENVIRONMENT.sub(r"\1/", _BUNDLE.sub("", text))


def fault_of_host(error: Exception, scenario: str, environment: str) -> Fault:
    """The fault of an exception in this process: of a worker that is gone, or of ckptmatrix."""
    if isinstance(error, HarnessError) and error.fault:
        return error.fault
    kind = type(error).__name__
    if isinstance(error, CkptmatrixError):
        message = f"{error.message} ({error.remedy})" if error.remedy else error.message
        return Fault(scenario, environment, "", kind, message)
    last = traceback.extract_tb(error.__traceback__)[-1]
    frames = last_frames("".join(traceback.format_exception(error)))
    return Fault(
        scenario, environment, "", kind, str(error), last.filename, last.lineno or 0, frames
    )


def last_frames(text: str) -> str:
    """The last frames of a traceback, with the exception."""
    frames = [found.start() for found in _FRAME.finditer(text)]
    return text[frames[-_FRAMES] :].rstrip() if len(frames) > _FRAMES else text.rstrip()


def problems_of(faults: Iterable[Fault]) -> tuple[Problem, ...]:
    """A problem for each scenario and fault, whichever environments it showed in."""
    groups: dict[tuple[str, str], list[Fault]] = {}
    for one in faults:
        groups.setdefault((one.scenario, one.sentence), []).append(one)
    return tuple(_problem(group) for group in groups.values())


def _problem(group: list[Fault]) -> Problem:
    first = group[0]
    places = list(dict.fromkeys(one.environment for one in group))
    others = len(places) - 1
    more = f" and {others} more environment{'s' * (others > 1)}" if others else ""
    lines = [f"no outcome of scenario {first.scenario}: {first.sentence}; in {places[0]}{more}"]
    lines += [first.traceback] if first.traceback else []
    lines += [f"log: {first.log}"] if first.log else []
    return Problem(ProblemKind.HARNESS_FAILED, "\n".join(lines))
