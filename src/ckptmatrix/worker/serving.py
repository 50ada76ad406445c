"""What answers requests: in children of this process, from what it keeps for them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ckptmatrix.worker import gpu, measuring, merging, writing
from ckptmatrix.worker.alterations import alterations
from ckptmatrix.worker.controls import altered, control
from ckptmatrix.worker.exercising import exercise, often
from ckptmatrix.worker.finding import find_loader, find_scenario
from ckptmatrix.worker.forkable import unforkable
from ckptmatrix.worker.forking import run_forked
from ckptmatrix.worker.launching import Ranks, launch
from ckptmatrix.worker.measured import Measured, Trace
from ckptmatrix.worker.measuring import LoadFunction, Prepared, Reference
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.protocol import (
    Alteration,
    Alterations,
    Answer,
    AnyRequest,
    Case,
    Control,
    Gpu,
    Hello,
    Introduction,
    Load,
    LoadAltered,
    LoadAnswer,
    NotReturned,
    Question,
    Request,
    Returned,
    Saved,
    Unsupported,
    Weigh,
    Write,
    WriteAnswer,
    answer_line,
)
from ckptmatrix.worker.raising import raised
from ckptmatrix.worker.references import LOOK_SECONDS, References
from ckptmatrix.worker.release import introduction
from ckptmatrix.worker.staging import Stage
from ckptmatrix.worker.touched import TOUCHED
from ckptmatrix.worker.traces import compare_traces
from ckptmatrix.worker.training import Scenario
from ckptmatrix.worker.warming import warm
from ckptmatrix.worker.words import Device, Ending, GpuProblem

A = TypeVar("A")
B = TypeVar("B")

_EXERCISE_SECONDS = 300

_Stage = Stage[tuple[Case, LoadFunction, Reference], Measured]


class Server:
    """Answers requests.

    It never trains nor asks for a GPU itself: a process that did may not be forked any more. Where
    something made it such a process, it answers nothing but that, and another one is started.
    """

    def __init__(self) -> None:
        self._references = References()
        self._loads: Counter[str] = Counter()
        self._stage: tuple[str, _Stage] | None = None
        self._latest = ""

    def answer(self, question: Question) -> str:
        """The line that answers a request."""
        request, seconds = question.request, question.seconds
        reason = unforkable()
        if reason:
            refused: Answer[Any] = NotReturned(Ending.UNFORKABLE, reason)
            return self._line(request, refused)
        self._latest = _named(request)
        if isinstance(request, Hello):
            return self._line(request, self.hello(request))
        if isinstance(request, Weigh):
            return self._line(request, run_forked(gpu.weigh, seconds))
        try:
            _import_what(request)
        except Exception as error:  # noqa: BLE001 - a script that cannot be imported is no release's outcome
            broken: Answer[Any] = raised(error, "import")
            return self._line(request, broken)
        if isinstance(request, Write):
            return self._line(request, self.write(request, seconds))
        if isinstance(request, Load):
            return self._line(request, self.load(request, seconds))
        if isinstance(request, Control):
            return self._line(request, self.control(request, seconds))
        if isinstance(request, LoadAltered):
            return self._line(request, self.load_altered(request, seconds))
        if isinstance(request, Alterations):
            return self._line(request, self.alterations(request, seconds))
        return self._line(request, self.reference(request.case, seconds))

    def hello(self, request: Hello) -> Answer[Introduction]:
        """Warm up, and see what is here."""
        warmed = warm(request.warm, request.rehearse)
        seen = run_forked(lambda: gpu.look(request.device), LOOK_SECONDS)
        if isinstance(seen, NotReturned) and seen.how not in (Ending.UNFORKABLE, Ending.KILLED):
            reason = f"looking at it {seen.how}: {seen.detail.strip().splitlines()[-1]}"
            seen = Returned(Gpu("", GpuProblem.OTHER, reason))
        return _changed(seen, lambda found: introduction(found, warmed))

    def write(self, request: Write, seconds: float) -> Answer[WriteAnswer]:
        """Write a checkpoint."""
        scenario = find_scenario(request.scenario)
        if request.device is Device.CPU and type(scenario).exercise is not Scenario.exercise:
            _unless_it_spoils(lambda: scenario.exercise(reads=False))
        written = launch(
            scenario.processes[0], lambda ranks: writing.write(request, ranks), seconds
        )
        answer = _changed(written, merging.merge_written)
        if isinstance(answer, Returned) and isinstance(answer.value, Saved) and scenario.trains_on:
            return self._reproduced(request, answer.value, seconds)
        return answer

    def load(self, request: Load, seconds: float) -> Answer[LoadAnswer]:
        """Measure one cell."""
        return self._measure(request.case, measuring.loader_under_test(request.loader), seconds)

    def control(self, request: Control, seconds: float) -> Answer[LoadAnswer]:
        """Measure a load whose outcome is known.

        It judges the judge, and so is held against the reference alone, not against the writer.
        """
        case = replace(request.case, trace=(), unreproduced=None)
        return self._measure(case, control(request.kind, self._references.truths(case)), seconds)

    def load_altered(self, request: LoadAltered, seconds: float) -> Answer[LoadAnswer]:
        """Measure a load of an altered copy."""
        return self._measure(request.case, altered(request), seconds)

    def alterations(self, request: Alterations, seconds: float) -> Answer[tuple[Alteration, ...]]:
        """Find every alteration of a checkpoint."""
        case = request.case
        return run_forked(
            lambda: tuple(alterations(find_scenario(case.scenario), case.directory, request.other)),
            seconds,
        )

    def reference(self, case: Case, seconds: float) -> Answer[Trace | None]:
        """Train on from a perfect load, where that goes on as the writer itself did."""
        writers, readers = find_scenario(case.scenario).processes
        if writers != readers:
            return Returned(None)
        reason = self._references.cannot(case)
        if isinstance(reason, NotReturned):
            return reason
        if reason.value:
            return Returned(None)
        return _changed(
            self._references.of(case, seconds),
            lambda made: merging.merge_traces([reference.trace for reference in made]),
        )

    def close(self) -> None:
        """End the stage."""
        if self._stage:
            self._stage[1].close()

    def _line(self, request: Request[A], answer: Answer[A]) -> str:
        """The line of an answer; one that this process cannot fork says since when."""
        if isinstance(answer, NotReturned) and answer.how is Ending.UNFORKABLE:
            answer = replace(answer, detail=f"{answer.detail} since {self._latest}")
        return answer_line(request, replace(answer, sources=TOUCHED.of(_modules(request))))

    def _reproduced(self, request: Write, saved: Saved, seconds: float) -> Answer[WriteAnswer]:
        """What was saved, and whether the state that was captured of it leads where training went.

        Here, in the writer's own environment, all of that can be compared, numbers included.
        """
        directory = os.path.join(request.target, saved.directory)
        scenario = find_scenario(request.scenario).facing(directory)
        stems = [writing.truth_stem(request.target, n) for n in range(scenario.processes[0])]
        truths = [Neutral.load(stem) for stem in stems]
        made = launch(
            len(truths),
            lambda ranks: measuring.make_reference(
                scenario, request.device, truths, ranks, reads=False
            ),
            seconds,
        )
        if isinstance(made, NotReturned):
            return made
        trace = merging.merge_traces([reference.trace for reference in made.value])
        missed = compare_traces(saved.trace, trace) if saved.trace else None
        return Returned(replace(saved, unreproduced=missed))

    def _measure(self, case: Case, load: LoadFunction, seconds: float) -> Answer[LoadAnswer]:
        reason = self._references.cannot(case)
        if isinstance(reason, NotReturned):
            return reason
        if reason.value:
            return Returned(Unsupported(reason.value))
        made = self._references.of(case, seconds)
        if isinstance(made, NotReturned):
            if made.how is Ending.UNFORKABLE:
                return made
            detail = f"the reference {made.how}: {made.detail}"
            return replace(made, how=Ending.RAISED, detail=detail)
        unsupported = made.value[0].unsupported
        if unsupported:
            return Returned(Unsupported(unsupported))
        return _changed(self._measured(case, load, made.value, seconds), merging.merge_measured)

    def _measured(
        self, case: Case, load: LoadFunction, references: list[Reference], seconds: float
    ) -> Answer[list[Measured]]:
        """What each process says of a load."""
        scenario = find_scenario(case.scenario).facing(case.directory)
        many = self._often(case) and scenario.stageable
        # Neither sockets nor CUDA survive a fork.
        if many and len(references) == 1 and case.device is Device.CPU:
            stage = self._stage_of(case, seconds)
            if not stage.cannot_fork:
                measured = stage.ask((case, load, references[0]), seconds)
                return _changed(measured, lambda one: [one])
        return launch(
            len(references),
            lambda ranks: measuring.measure(
                measuring.prepare(scenario, case.device, ranks),
                case,
                load,
                references[ranks.rank],
            ),
            min(seconds, find_scenario(case.scenario).patience),
        )

    def _stage_of(self, case: Case, seconds: float) -> _Stage:
        """The stage of a scenario; one at a time, as its cells come one after the other."""
        if self._stage is None or self._stage[0] != case.scenario or self._stage[1].broken:
            self.close()
            stage = _Stage(
                lambda: _exercised(case),
                lambda prepared, request: measuring.measure(prepared, *request),
                seconds,
            )
            self._stage = case.scenario, stage
        return self._stage[1]

    def _often(self, case: Case) -> bool:
        """Whether loads of this scenario are many enough to prepare for: from the second on."""
        self._loads[case.scenario] += 1
        if sum(self._loads.values()) == 2 and case.device is Device.CPU:
            _unless_it_spoils(lambda: often(exercise))
        return self._loads[case.scenario] > 1


def _changed(answer: Answer[A], change: Callable[[A], B]) -> Answer[B]:
    """The answer with its value changed, if there is one."""
    return Returned(change(answer.value)) if isinstance(answer, Returned) else answer


def _unless_it_spoils(act: Callable[[], None]) -> None:
    """Do in this process what only makes it faster, if a child that did it may still be forked."""

    def spoilt() -> str:
        act()
        return unforkable()

    if run_forked(spoilt, _EXERCISE_SECONDS) == Returned(""):
        act()


def _exercised(case: Case) -> Prepared:
    """What loads start from, in a process that has done what a scenario names."""
    scenario = find_scenario(case.scenario)
    often(lambda: scenario.exercise(reads=True))
    return measuring.prepare(scenario, case.device, Ranks())


def _import_what(request: AnyRequest) -> None:
    """Import what a request names: once, rather than in each child."""
    what: Any = getattr(request, "case", request)
    find_scenario(what.scenario)
    loader = getattr(request, "loader", "")
    if loader:
        find_loader(loader)
    TOUCHED.told()  # as it was when it was imported


def _modules(request: Any) -> list[str]:
    """The modules that a request names; an argument of a scenario may be one as well."""
    what = getattr(request, "case", request)
    named = [*getattr(what, "scenario", "").split("@"), getattr(request, "loader", "")]
    return [name.partition(":")[0] for name in named]


def _named(request: AnyRequest) -> str:
    """What a request is, where it is blamed."""
    case = getattr(request, "case", request)
    return f"{type(request).__name__} of {getattr(case, 'scenario', 'the environment')}"
