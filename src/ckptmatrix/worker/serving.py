"""What answers requests: in children of this process, from what it keeps for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ckptmatrix.worker import gpu, measuring, merging, writing
from ckptmatrix.worker.alterations import alterations
from ckptmatrix.worker.controls import altered, control
from ckptmatrix.worker.exercising import exercise, often
from ckptmatrix.worker.finding import find_scenario
from ckptmatrix.worker.forkable import unforkable
from ckptmatrix.worker.forking import run_forked
from ckptmatrix.worker.launching import Ranks, launch
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
    Measured,
    NotReturned,
    Question,
    Request,
    Returned,
    Trace,
    Unsupported,
    Write,
    WriteAnswer,
    answer_line,
)
from ckptmatrix.worker.release import introduction
from ckptmatrix.worker.settling import settle
from ckptmatrix.worker.staging import Stage
from ckptmatrix.worker.training import Scenario
from ckptmatrix.worker.warming import import_all, warm
from ckptmatrix.worker.words import Device, Ending, GpuProblem

A = TypeVar("A")
B = TypeVar("B")

_LOOK_SECONDS = 60
_EXERCISE_SECONDS = 300

_Stage = Stage[tuple[Case, LoadFunction, Reference], Measured]


class Server:
    """Answers requests; keeps the truths it has read and the references it has made.

    It never trains nor asks for a GPU itself: a process that did may not be forked any more. Where
    something made it such a process, it answers nothing but that, and another one is started.
    """

    def __init__(self) -> None:
        self._truths: dict[str, Neutral] = {}
        self._references: dict[tuple[str, Device, str], Answer[list[Reference]]] = {}
        self._reasons: dict[tuple[str, Device], Answer[str]] = {}
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
        seen = run_forked(lambda: gpu.look(request.device), _LOOK_SECONDS)
        if isinstance(seen, NotReturned) and seen.how is not Ending.UNFORKABLE:
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
        return _changed(written, merging.merge_written)

    def load(self, request: Load, seconds: float) -> Answer[LoadAnswer]:
        """Measure one cell."""
        import_all([request.loader.partition(":")[0]])  # once, rather than in each child
        return self._measure(request.case, measuring.loader_under_test(request.loader), seconds)

    def control(self, request: Control, seconds: float) -> Answer[LoadAnswer]:
        """Measure a load whose outcome is known."""
        truths = self._truths_of(request.case)
        return self._measure(request.case, control(request.kind, truths), seconds)

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
        return _changed(
            self._references_of(case, seconds),
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
        return answer_line(request, answer)

    def _measure(self, case: Case, load: LoadFunction, seconds: float) -> Answer[LoadAnswer]:
        reason = self._cannot(case)
        if isinstance(reason, NotReturned):
            return reason
        if reason.value:
            return Returned(Unsupported(reason.value))
        made = self._references_of(case, seconds)
        if isinstance(made, NotReturned):
            if made.how is Ending.UNFORKABLE:
                return made
            return NotReturned(Ending.RAISED, f"the reference {made.how}: {made.detail}")
        unsupported = made.value[0].unsupported
        if unsupported:
            return Returned(Unsupported(unsupported))
        return _changed(self._measured(case, load, made.value, seconds), merging.merge_measured)

    def _measured(
        self, case: Case, load: LoadFunction, references: list[Reference], seconds: float
    ) -> Answer[list[Measured]]:
        """What each process says of a load."""
        # Neither sockets nor CUDA survive a fork.
        if self._often(case) and len(references) == 1 and case.device is Device.CPU:
            stage = self._stage_of(case, seconds)
            if not stage.cannot_fork:
                measured = stage.ask((case, load, references[0]), seconds)
                return _changed(measured, lambda one: [one])
        return launch(
            len(references),
            lambda ranks: measuring.measure(
                measuring.prepare(case.scenario, case.device, ranks),
                case,
                load,
                references[ranks.rank],
            ),
            seconds,
        )

    def _cannot(self, case: Case) -> Answer[str]:
        """Why this release cannot do it; found out once for each scenario.

        On a GPU in a child: a scenario may count the GPUs, which wakes them where there is no NVML.
        """
        key = case.scenario, case.device
        if key not in self._reasons:
            self._reasons[key] = (
                Returned(measuring.cannot(case))
                if case.device is Device.CPU
                else run_forked(lambda: measuring.cannot(case), _LOOK_SECONDS)
            )
        return self._reasons[key]

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

    def _truths_of(self, case: Case) -> list[Neutral]:
        """The captured state of each of the writer's processes."""
        found = []
        for rank in range(find_scenario(case.scenario).processes[0]):
            stem = merging.of_rank(case.truth, rank)
            if stem not in self._truths:
                self._truths[stem] = Neutral.load(stem)
            found.append(self._truths[stem])
        return found

    def _references_of(self, case: Case, seconds: float) -> Answer[list[Reference]]:
        """One for each process; made once for each scenario and state, which many writers share."""
        key = case.scenario, case.device, case.digest
        if key not in self._references:
            scenario, truths = find_scenario(case.scenario), self._truths_of(case)
            settle()
            self._references[key] = launch(
                scenario.processes[1],
                lambda ranks: measuring.make_reference(scenario, case.device, truths, ranks),
                seconds,
            )
        return self._references[key]

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
    return measuring.prepare(case.scenario, case.device, Ranks())


def _named(request: AnyRequest) -> str:
    """What a request is, where it is blamed."""
    case = getattr(request, "case", request)
    return f"{type(request).__name__} of {getattr(case, 'scenario', 'the environment')}"
