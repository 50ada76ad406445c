"""The controls of a run: loads whose outcome is known beforehand. If one fails, nothing is true."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from ckptmatrix.checkpoint.format.names import (
    FileKind,
    is_of_deepspeed,
    is_of_fsdp,
    is_shard,
    kind_of,
    weights_file,
)
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.loading import Loading
from ckptmatrix.model import (
    Cell,
    CellRecord,
    CheckpointStatus,
    ControlRecord,
    Environment,
    FirstDifference,
    Status,
    Verdict,
    summary,
)
from ckptmatrix.plan.planning import Plan
from ckptmatrix.util.parallel import side_by_side
from ckptmatrix.worker import measured
from ckptmatrix.worker.protocol import Alteration, NotReturned, Returned
from ckptmatrix.worker.traces import compare_traces
from ckptmatrix.worker.words import STAND_IN_GPU, AlterationKind, ControlKind

_NOT_MADE = "controls are made"

_TOGETHER = 27
"""Scenarios whose controls one reader makes; more readers would only start more often."""

_TRIES = 8
"""Values of a file of the script's own that are altered until one is found that it reads."""


def run_controls(
    plan: Plan, make_lab: Callable[[], Lab], done: Callable[[str, str], None], jobs: int
) -> tuple[ControlRecord, ...]:
    """Run every control, in the newest usable environment of each stack.

    Args:
        plan: what the run consists of.
        make_lab: makes a lab to measure in, closed afterwards.
        done: called with stack and scenario when their controls are done.
        jobs: how many readers at a time.
    """

    def some(part: tuple[str, tuple[str, ...]]) -> list[ControlRecord]:
        stack, scenarios = part
        found: list[ControlRecord] = []
        with make_lab() as lab:
            for scenario in scenarios:
                try:
                    found += _controls(stack, scenario, plan, lab)
                except CkptmatrixError as error:
                    found.append(_not_made(stack, scenario, error))
                done(stack, scenario)
        return found

    parts = [
        (stack, group) for stack, names in plan.controlled.items() for group in _batched(names)
    ]
    return tuple(chain.from_iterable(side_by_side(some, parts, jobs)))


def was_made(control: ControlRecord) -> bool:
    """Whether it is a control, and not the record that none could be made."""
    return control.name != _NOT_MADE


def _not_made(stack: str, scenario: str, error: CkptmatrixError) -> ControlRecord:
    """The record that the controls of a scenario ended in a fault; the other ones are made."""
    return ControlRecord(_NOT_MADE, stack, scenario, False, error.message)


def _batched(scenarios: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Scenarios in groups of `_TOGETHER`."""
    return [scenarios[i : i + _TOGETHER] for i in range(0, len(scenarios), _TOGETHER)]


def _controls(stack: str, scenario: str, plan: Plan, lab: Lab) -> tuple[ControlRecord, ...]:
    own = _selves(stack, scenario, plan)
    newest = next((cell for cell in own if _usable(cell, lab)), None)
    return controls_of(newest, lab) if newest else ()


def controls_of(cell: Cell, lab: Lab) -> tuple[ControlRecord, ...]:
    """Every control of an environment that reads its own checkpoint.

    Raises:
        CkptmatrixError: one could not be made.
    """
    return tuple(chain.from_iterable(make(cell, lab) for make in _MAKERS))


def _selves(stack: str, scenario: str, plan: Plan) -> list[Cell]:
    """Each reader of a stack with itself, newest first."""
    own: list[Environment] = [e for e in plan.readers if e.stack == stack]
    return [Cell(environment, environment, scenario) for environment in reversed(own)]


def _usable(cell: Cell, lab: Lab) -> bool:
    """Whether an environment writes a checkpoint and has what loads it."""
    return (
        lab.registry.installed(cell.writer).ready
        and lab.registry.written(cell.writer, cell.scenario).record.status
        == CheckpointStatus.WRITTEN
        and lab.measured(cell).status is not Status.UNSUPPORTED
    )


def _loading(cell: Cell, lab: Lab) -> Loading:
    return lab.loading(cell, _written(cell, lab))


def _written(cell: Cell, lab: Lab) -> Written:
    return lab.registry.written(cell.writer, cell.scenario)


def _record(name: str, cell: Cell, passed: bool, detail: str) -> ControlRecord:
    return ControlRecord(name, cell.reader.id, cell.scenario, passed, "" if passed else detail)


def _gpu(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """A GPU computes: those that a worker found to are not asked again, but a stand-in does not."""
    name = lab.registry.installed(cell.reader).device_name
    if name:
        yield _record("GPU computes", cell, name != STAND_IN_GPU, f"it is a {name}")


def _null_loader(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """A load that does nothing is degraded, in every component that can be told apart."""
    record = _loading(cell, lab).control(ControlKind.NOTHING)
    kept = [n for n, v in record.components.items() if v in (Verdict.RESTORED, Verdict.WRONG)]
    passed = record.status == Status.DEGRADED and not kept
    detail = f"{record.status}: {_said(record)}; not seen as lost: {', '.join(kept) or 'nothing'}"
    yield _record("null loader", cell, passed, detail)


def _perfect_loader(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """Putting the captured state in directly is exact."""
    record = _loading(cell, lab).control(ControlKind.PERFECT)
    yield _record("perfect loader", cell, record.status == Status.EXACT, _said(record))


def _uninterrupted(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """The reference goes on exactly as the writer itself did after its save."""
    answer = _loading(cell, lab).reference()
    if answer == Returned(None):
        return  # it is loaded into another number of processes, or not at all
    if isinstance(answer, NotReturned):
        yield _record(_REFERENCE, cell, False, f"{answer.how}: {_last_line(answer.detail)}")
        return
    difference = compare_traces(_written(cell, lab).trace, answer.value or ())
    detail = (
        f"{_where(difference)}. No component captures what decides that, so no load of this "
        "scenario counts as exact: give it one (docs/own-scenario.md)"
        if difference
        else ""
    )
    yield _record(_REFERENCE, cell, difference is None, detail)


def _twice(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """The same environment with itself, measured twice, agrees."""
    first, second = (replace(lab.measured(cell), seconds=0.0, measured="") for _ in range(2))
    detail = f"{first.status}: {_said(first)}; then {second.status}: {_said(second)}"
    yield _record("twice the same", cell, first == second, detail)


def _altered(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """A checkpoint with one bit altered turns exactly that component red that it belongs to.

    Where each process holds a slice, that of one process at least, and nothing else.
    """
    plain = lab.measured(cell)
    loading = _loading(cell, lab)
    answer = loading.alterations()
    if isinstance(answer, NotReturned):
        yield _record("altered", cell, False, answer.detail)
        return
    unread: set[str] = set()
    told: set[str] = set()
    for owners, flips in _flips(answer.value).items():
        if any(plain.components.get(owner) != Verdict.RESTORED for owner in owners):
            continue  # what does not come back cannot be spoilt
        for alteration in flips:
            record = loading.altered(alteration)
            if _without_effect(record, plain):
                if _of_the_script(alteration.file):
                    continue  # no script reads this value
                if plain.error:
                    unread.update(owners)
                    continue  # the load raised before it read this value
            turned = tuple(n for n in owners if record.components.get(n) == Verdict.WRONG)
            red = turned if alteration.sliced and turned else owners
            wanted = {**plain.components, **dict.fromkeys(red, Verdict.WRONG)}
            name = f"altered {(' or ' if alteration.sliced else ' and ').join(owners)}"
            detail = f"{alteration.file}, {'/'.join(map(str, alteration.path))}: {_said(record)}"
            yield _record(name, cell, record.components == wanted, detail)
            told.update(owners)
            break
    for owner in sorted(unread - told):
        detail = f"the load raises, and no value of {owner} that is altered has an effect on it"
        yield _record(f"altered {owner}", cell, False, detail)


def _flips(alterations: Iterable[Alteration]) -> dict[tuple[str, ...], list[Alteration]]:
    """For each component flips of its largest values, the largest first."""
    found: dict[tuple[str, ...], list[Alteration]] = {}
    for one in alterations:
        if one.kind is AlterationKind.FLIP and one.owners and one.size:
            found.setdefault(one.owners, []).append(one)
    return {
        owners: sorted(flips, key=lambda one: -one.size)[:_TRIES] for owners, flips in found.items()
    }


def _of_the_script(file: str) -> bool:
    """Whether a file is as the script's own hooks or objects have it, and reads as they like."""
    kind = kind_of(file)
    if kind:
        return kind[0] is FileKind.CUSTOM
    known = weights_file(file), is_shard(file), is_of_fsdp(file), is_of_deepspeed(file)
    return not any(known)


def _without_effect(record: CellRecord, plain: CellRecord) -> bool:
    return (record.status, record.components, record.resume) == (
        plain.status,
        plain.components,
        plain.resume,
    )


def _said(record: CellRecord) -> str:
    """What came of a load, with the step and the values in which training first differs."""
    difference = record.resume.first_difference if record.resume else None
    said = summary(record)
    return f"{said}: {_where(difference)}" if difference else said


def _where(difference: FirstDifference | measured.FirstDifference) -> str:
    return (
        f"step {difference.step}: {difference.quantity} was to be {difference.expected}, "
        f"and is {difference.found}"
    )


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


_REFERENCE = "reference is the uninterrupted run"
_MAKERS = (_gpu, _null_loader, _perfect_loader, _uninterrupted, _twice, _altered)
"""What makes the controls, each those of its kind."""
