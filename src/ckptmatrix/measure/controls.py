"""The controls of a run: loads whose outcome is known beforehand. If one fails, nothing is true."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.loading import Loading
from ckptmatrix.model import (
    Cell,
    CheckpointStatus,
    ControlRecord,
    Environment,
    Status,
    Verdict,
    summary,
)
from ckptmatrix.plan.planning import Plan
from ckptmatrix.util.parallel import side_by_side
from ckptmatrix.worker.protocol import Alteration, NotReturned, Returned
from ckptmatrix.worker.words import STAND_IN_GPU, AlterationKind, ControlKind

_TOGETHER = 27
"""Scenarios whose controls one reader makes; more readers would only start more often."""


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
                found += _controls(stack, scenario, plan, lab)
                done(stack, scenario)
        return found

    parts = [(stack, group) for stack in plan.stacks for group in _batched(plan.scenarios)]
    return tuple(chain.from_iterable(side_by_side(some, parts, jobs)))


def _batched(scenarios: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Scenarios in groups of `_TOGETHER`."""
    return [scenarios[i : i + _TOGETHER] for i in range(0, len(scenarios), _TOGETHER)]


def _controls(stack: str, scenario: str, plan: Plan, lab: Lab) -> Iterator[ControlRecord]:
    own = _selves(stack, scenario, plan)
    newest = next((cell for cell in own if _usable(cell, lab)), None)
    if newest is None:
        return
    yield from _gpu(newest, lab)
    yield _null_loader(newest, lab)
    yield _perfect_loader(newest, lab)
    yield from _uninterrupted(newest, lab)
    yield _twice(newest, lab)
    yield from _altered(newest, lab)


def _selves(stack: str, scenario: str, plan: Plan) -> list[Cell]:
    """Each reader of a stack with itself, newest first."""
    own: list[Environment] = [e for e in plan.readers if e.stack == stack]
    return [Cell(environment, environment, scenario) for environment in reversed(own)]


def _usable(cell: Cell, lab: Lab) -> bool:
    return (
        lab.registry.installed(cell.writer).ready
        and lab.registry.written(cell.writer, cell.scenario).record.status
        == CheckpointStatus.WRITTEN
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


def _null_loader(cell: Cell, lab: Lab) -> ControlRecord:
    """A load that does nothing is degraded, in every component that there is."""
    record = _loading(cell, lab).control(ControlKind.NOTHING)
    kept = [n for n, v in record.components.items() if v in (Verdict.RESTORED, Verdict.WRONG)]
    passed = record.status == Status.DEGRADED and not kept
    return _record("null loader", cell, passed, f"{record.status}; not seen as lost: {kept}")


def _perfect_loader(cell: Cell, lab: Lab) -> ControlRecord:
    """Putting the captured state in directly is exact."""
    record = _loading(cell, lab).control(ControlKind.PERFECT)
    return _record("perfect loader", cell, record.status == Status.EXACT, summary(record))


def _uninterrupted(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """The reference goes on exactly as the writer itself did after its save."""
    answer = _loading(cell, lab).reference()
    if answer == Returned(None):
        return  # it is loaded into another number of processes, which never were without a break
    passed = answer == Returned(_written(cell, lab).trace)
    yield _record("reference is the uninterrupted run", cell, passed, "their traces differ")


def _twice(cell: Cell, lab: Lab) -> ControlRecord:
    """The same environment with itself, measured twice, agrees."""
    first, second = (replace(lab.measured(cell), seconds=0.0, measured="") for _ in range(2))
    return _record("twice the same", cell, first == second, f"{summary(first)}; {summary(second)}")


def _altered(cell: Cell, lab: Lab) -> Iterator[ControlRecord]:
    """A checkpoint with one bit altered turns exactly that component red that it belongs to."""
    plain = lab.measured(cell)
    loading = _loading(cell, lab)
    answer = loading.alterations()
    if isinstance(answer, NotReturned):
        yield _record("altered", cell, False, answer.detail)
        return
    for owners, alteration in _largest(answer.value).items():
        if any(plain.components.get(owner) != Verdict.RESTORED for owner in owners):
            continue  # what does not come back cannot be spoilt
        record = loading.altered(alteration)
        wanted = {**plain.components, **dict.fromkeys(owners, Verdict.WRONG)}
        name = f"altered {' and '.join(owners)}"
        yield _record(name, cell, record.components == wanted, summary(record))


def _largest(alterations: Iterable[Alteration]) -> dict[tuple[str, ...], Alteration]:
    """For each component one flipped bit, in its largest value: the first among equals."""
    found: dict[tuple[str, ...], Alteration] = {}
    for one in alterations:
        known = found.get(one.owners)
        flips = one.kind is AlterationKind.FLIP and one.owners and one.size
        if flips and (known is None or one.size > known.size):
            found[one.owners] = one
    return found
