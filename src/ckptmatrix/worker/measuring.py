"""Measure one cell: build from another seed, load, compare with the truth, train on, compare again.

What a perfect load leads to is found in this same environment: the truth is put straight into
freshly built objects (the reference), so torch's own numerics never count against a checkpoint.
"""

from __future__ import annotations

import logging
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch

from ckptmatrix.worker.finding import find_loader, find_scenario
from ckptmatrix.worker.judging import judge
from ckptmatrix.worker.launching import Ranks
from ckptmatrix.worker.measured import Measured, Raised, Resume, Step
from ckptmatrix.worker.merging import only_rank
from ckptmatrix.worker.neutral import ABSENT, Leaves, Neutral
from ckptmatrix.worker.protocol import Case
from ckptmatrix.worker.release import unusable_on
from ckptmatrix.worker.traces import BROKE_DOWN, compare_traces, earlier, standard
from ckptmatrix.worker.training import Scenario, Training, UnsupportedError, seed_everything
from ckptmatrix.worker.words import Device, Part, Verdict
from ckptmatrix.worker.writing import build, capture, of_the_library

READER_SEED = 22
REFERENCE_SEED = 33
"""Not the reader's, so what no component covers shows up in the training that follows."""
_NEWCOMER_SEED = 44

_FRAMES = 6
_MESSAGE = 2000

LoadFunction = Callable[[Scenario, Training, str], None]
"""Can be pickled, so that it can be handed to a process that is already there."""


class Reference(NamedTuple):
    """What a perfect load leads to in this environment."""

    expected: dict[str, Leaves]
    """Component -> leaves after the truth was put in."""
    trace: list[Step]
    """The training that followed, as the scenario returned it."""
    recorded: list[Step]
    """The same as it was recorded, before the scenario added to it or left steps out."""
    own_order: bool = False
    """Whether the writer's dataloader kept its order to itself: seed and epoch, or a generator."""
    unsupported: str = ""
    """Why this release cannot build the scenario on this device; empty if it can."""


class InjectionError(Exception):
    """The truth could not be put into this environment's objects, so there is no reference."""


def inject(scenario: Scenario, training: Training, truth: Neutral) -> list[str]:
    """Put the truth into live objects.

    Returns:
        Names of the components that both the writer and this environment have, of one kind.
    """
    shared = []
    for part in scenario.components:
        tree = truth.trees.get(part.name, ABSENT)
        if tree != ABSENT and part.fits(training, truth.value(part.name)):
            part.inject(training, truth.value(part.name))
            shared.append(part.name)
    return shared


def truth_for(scenario: Scenario, truths: list[Neutral], rank: int) -> Neutral:
    """What a rank must be like after a load: as it was, or where it was not, like rank 0.

    What each process has of its own (its generators) no checkpoint can hold for a rank that did
    not train: there is nothing that it must be.
    """
    if rank < len(truths):
        return truths[rank]
    return truths[0].without(part.name for part in scenario.components if part.of_each)


def _train_on(
    scenario: Scenario, training: Training, ranks: Ranks, known: Collection[str]
) -> list[Step]:
    """The training that follows; a generator that the writer did not have starts at a fixed seed:
    all those of a rank that it did not have, the GPU's where it had none.

    `known` are the names of the components that have a truth.
    """
    if ranks.rank >= scenario.processes[0]:
        seed_everything(_NEWCOMER_SEED + ranks.rank)
    elif training.device == Device.CUDA and Part.CUDA_RANDOM not in known:
        torch.cuda.manual_seed_all(_NEWCOMER_SEED)
    training.recorded.clear()
    return scenario.after(training) if scenario.trains_on else []


def make_reference(
    scenario: Scenario, device: Device, truths: list[Neutral], ranks: Ranks, reads: bool = True
) -> Reference:
    """Run the reference.

    Args:
        scenario: what is trained.
        device: where.
        truths: the captured state of each of the writer's processes.
        ranks: the processes of the training.
        reads: whether in the reader's objects, or in such as the writer had.

    Raises:
        InjectionError: a component does not hold what was put in.
    """
    truth = truth_for(scenario, truths, ranks.rank)
    try:
        training = build(scenario, device, REFERENCE_SEED, ranks, reads)
    except UnsupportedError as error:
        return Reference({}, [], [], unsupported=str(error))
    shared = inject(scenario, training, truth)
    now = capture(scenario, training)
    expected = {name: now.leaves(name) for name in shared}
    for name, leaves in expected.items():
        missing = [p for p, leaf in truth.leaves(name).items() if leaves.get(p) != leaf]
        if missing:
            raise InjectionError(f"{name} does not hold what was put in: {missing[:3]}")
    training.recorded = recorded = _Recorded()
    trace = _train_on(scenario, training, ranks, expected)
    own_order = truth.trees.get(Part.DATALOADER, ABSENT) != ABSENT
    return Reference(expected, list(trace), recorded.steps, own_order)


class Prepared(NamedTuple):
    """What a load starts from: the reader's own objects, built from another seed."""

    scenario: Scenario
    training: Training
    ranks: Ranks
    before: dict[str, Leaves]
    """Component -> leaves as they are."""
    listener: _Listener
    """Hears what accelerate only logs."""


def prepare(scenario: Scenario, device: Device, ranks: Ranks) -> Prepared:
    """Build what a load goes into, in one process.

    Args:
        scenario: what is built.
        device: where to train.
        ranks: the processes of the training.
    """
    training = build(scenario, device, READER_SEED, ranks, reads=True)
    before = capture(scenario, training).all_leaves()
    return Prepared(scenario, training, ranks, before, _listen())


def measure(prepared: Prepared, case: Case, load: LoadFunction, reference: Reference) -> Measured:
    """Load one checkpoint in one process and say what came of it.

    Args:
        prepared: what it is loaded into; changed.
        case: the checkpoint.
        load: what loads it.
        reference: what a perfect load leads to.

    Raises:
        NothingComparedError: there is no step of training to compare.
    """
    started = time.perf_counter()
    scenario, training, ranks, before, listener = prepared
    listener.directory = case.directory
    error = None
    try:
        load(scenario, training, case.directory)
    except BaseException as raised:  # whatever a load raises is the outcome
        if not of_the_library(raised):
            raise
        error = describe_error(raised, case.directory)
    swallowed = tuple(listener.heard)
    found = capture(scenario, training).all_leaves()
    owner = ranks.rank if ranks.rank < scenario.processes[0] else 0
    unsaved = only_rank(case.unsaved, owner)
    verdicts, differences = judge(reference.expected, before, found, unsaved)
    for part in scenario.components:
        # Nothing is known of what is unsaved as a whole but that this release has such a thing.
        whole = unsaved.get(part.name) == () and part.name in found
        verdicts.setdefault(part.name, Verdict.UNSAVED if whole else Verdict.ABSENT)
    resume = None
    if scenario.trains_on and not ranks.any(error is not None):
        resume = _resumed(prepared, case, reference)
    seconds = round(time.perf_counter() - started, 4)
    return Measured(verdicts, differences, resume, error, swallowed, seconds)


def _resumed(prepared: Prepared, case: Case, reference: Reference) -> Resume:
    """Train on after a load, and compare."""
    scenario, training, ranks = prepared[:3]
    writers, readers = scenario.processes
    known = case.trace if writers == readers else ()  # another number sees other samples
    mine = [only_rank(step, ranks.rank) for step in known]
    expected = standard(reference.trace, mine, reference.own_order)
    # Once a step differs, nothing more is said of the training. That can be told as it is recorded
    # only where the scenario adds nothing to its records and returns all of them; and where there
    # are more processes, the others wait for this one at every step.
    follow = ranks.count == 1 and reference.trace == reference.recorded
    training.recorded = recorded = _Followed(expected) if follow else _Recorded()
    try:
        trace = _train_on(scenario, training, ranks, reference.expected)
    except _DiffersError:
        trace = recorded.steps
    except Exception as raised:  # noqa: BLE001 - a load may leave behind what cannot train on
        trace = [*recorded.steps, {BROKE_DOWN: f"{type(raised).__name__}: {raised}"}]
        expected = expected if follow else reference.recorded
    first = compare_traces(expected, trace)
    first = earlier(first, None if ranks.rank else case.unreproduced)
    return Resume(exact=first is None, first_difference=first, steps=len(trace))


def cannot(case: Case) -> str:
    """Why this release cannot do what the cell asks; empty if it can."""
    return unusable_on(case.device) or find_scenario(case.scenario).unsupported_reader(case.device)


def loader_under_test(source: str) -> LoadFunction:
    """The loader named by `module:function`, called as the scenario's script calls it."""
    return partial(_load_by, source)


def _load_by(source: str, scenario: Scenario, training: Training, directory: str) -> None:
    scenario.load(training, directory, find_loader(source))


def describe_error(error: BaseException, directory: str) -> Raised:
    """Type, message and last frames of an exception, without this machine's paths.

    Args:
        error: the exception.
        directory: the checkpoint's; it becomes `CHECKPOINT` in the message, and the name of a
            temporary place, which is another each time, becomes `TEMPORARY`.
    """
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{name}"
    frames = [
        f"{_below_packages(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}"
        for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    ]
    message = str(error).replace(directory, "CHECKPOINT")
    message = re.sub(re.escape(tempfile.gettempdir()) + r"/tmp\w+", "TEMPORARY", message)
    # torch's CheckpointException holds the tracebacks of all processes.
    message = re.sub(r'(?<=File ")[^"]+(?=")', lambda path: _below_packages(path[0]), message)
    return Raised(name, message[:_MESSAGE], "\n".join(frames))


def _below_packages(path: str) -> str:
    for marker in ("site-packages/", "/lib/python"):
        if marker in path:
            return path.split(marker)[-1]
    return "/".join(path.split("/")[-2:])


class _DiffersError(BaseException):
    """A step differs; no scenario's `except Exception` is meant to see it."""


class _Recorded(list[Step]):
    """Steps as they are recorded; `steps` stays so when a scenario adds to them afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def append(self, record: Step) -> None:
        super().append(record)
        self.steps.append(dict(record))


class _Followed(_Recorded):
    """The same; the training ends with the first that is not as expected."""

    def __init__(self, expected: Sequence[Step]) -> None:
        super().__init__()
        self._expected = expected

    def append(self, record: Step) -> None:
        """Keep it and compare it: all that is said of a trace is its first difference."""
        super().append(record)
        if self._expected[len(self) - 1 : len(self)] != [record]:
            raise _DiffersError


class _Listener(logging.Handler):
    """Keeps the exceptions that accelerate catches and only logs.

    A log record made inside an `except` block still sees the exception that is being handled.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.directory = ""
        self.heard: list[Raised] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        if error is not None:
            # Its frames would be accelerate's own, the same each time: the message says it.
            self.heard.append(replace(describe_error(error, self.directory), traceback=""))


def _listen() -> _Listener:
    """Hear what accelerate logs from now on, in this process."""
    logger = logging.getLogger("accelerate")
    listener = _Listener()
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return listener
