"""From a worker's answer to the outcome of a cell. Pure."""

from dataclasses import replace
from typing import TypeVar

import msgspec

from ckptmatrix.environments.installation import Installation
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.faults import HarnessError, fault_of
from ckptmatrix.model import (
    BAD,
    Cell,
    CellRecord,
    CheckpointStatus,
    Difference,
    ErrorRecord,
    Resume,
    Status,
    Verdict,
)
from ckptmatrix.worker.protocol import Answer, LoadAnswer, NotReturned, Unsupported
from ckptmatrix.worker.words import Ending

T = TypeVar("T")


def blank(cell: Cell, status: Status, reason: str) -> CellRecord:
    """The outcome of a cell that nothing was loaded for."""
    return CellRecord(
        cell.writer.id,
        cell.reader.id,
        cell.scenario,
        cell.loader,
        cell.treatment,
        status,
        reason=reason,
    )


def unmeasurable(
    cell: Cell, writer: Installation, reader: Installation, written: Written | None
) -> CellRecord | None:
    """The outcome of a cell that cannot be measured; None if it can."""
    for role, built in (("writer", writer), ("reader", reader)):
        if not built.ready:
            return blank(cell, Status.NOT_RUN, f"no {role} environment: {built.record.reason}")
    if written is None or written.record.status == CheckpointStatus.WRITTEN:
        return None
    if written.record.status == CheckpointStatus.UNSUPPORTED:
        return blank(cell, Status.UNSUPPORTED, written.record.reason)
    return blank(cell, Status.NOT_RUN, f"no checkpoint: {written.record.reason}")


def outcome(cell: Cell, answer: Answer[LoadAnswer], measured: str, log: str = "") -> CellRecord:
    """The outcome of a cell that was measured.

    Args:
        cell: the cell.
        answer: the reader's answer.
        measured: when, ISO 8601.
        log: the reader's log.

    Raises:
        HarnessError: the answer says that the harness itself failed.
    """
    if isinstance(answer, NotReturned):
        return _not_returned(cell, answer, measured, log)
    found = answer.value
    if isinstance(found, Unsupported):
        return blank(cell, Status.UNSUPPORTED, found.reason)
    components = {name: Verdict(verdict) for name, verdict in found.components.items()}
    resume = _as(Resume, found.resume) if found.resume else None
    error = _as(ErrorRecord, found.error) if found.error else None
    return CellRecord(
        cell.writer.id,
        cell.reader.id,
        cell.scenario,
        cell.loader,
        cell.treatment,
        Status.FAILED if error else _status(components, resume),
        components,
        resume,
        error,
        seconds=found.seconds,
        swallowed=tuple(_as(ErrorRecord, one) for one in found.swallowed),
        differences={name: _as(Difference, one) for name, one in found.differences.items()},
        measured=measured,
    )


def _not_returned(cell: Cell, answer: NotReturned, measured: str, log: str) -> CellRecord:
    if answer.how is Ending.RAISED:
        raise HarnessError.of(fault_of(answer, cell.scenario, cell.reader.id, log))
    status = Status.TIMEOUT if answer.how is Ending.TIMEOUT else Status.CRASHED
    error = ErrorRecord(status.value, answer.detail)
    return replace(blank(cell, status, ""), error=error, measured=measured)


def _as(record: type[T], found: object) -> T:
    """A part of a report from the worker's dataclass of the same fields."""
    return msgspec.convert(found, record, from_attributes=True)


def _status(components: dict[str, Verdict], resume: Resume | None) -> Status:
    nothing = {Verdict.ABSENT, Verdict.NOT_TOLD_APART}
    if resume is None:
        nothing.add(Verdict.UNSAVED)
    if nothing.issuperset(components.values()):
        raise HarnessError("a comparison that compared nothing", "give the scenario some state")
    if (resume is None or resume.exact) and not any(
        verdict in BAD for verdict in components.values()
    ):
        return Status.EXACT
    return Status.DEGRADED
