"""From a worker's answer to the outcome of a cell. Pure; the words are decided here alone."""

from dataclasses import replace

import msgspec

from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.worker_process import Answer
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.measure.checkpoints import Written
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


class HarnessError(CkptmatrixError):
    """ckptmatrix itself failed on a cell: it has no outcome, and the run must not look whole."""


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


def outcome(cell: Cell, answer: Answer, measured: str) -> CellRecord:
    """The outcome of a cell that was measured.

    Args:
        cell: the cell.
        answer: the reader's answer.
        measured: when, ISO 8601.

    Raises:
        HarnessError: the answer says that the harness itself failed.
    """
    if answer.ended == "raised":
        last = str(answer.value).strip().splitlines()[-1]
        raise HarnessError(f"{cell.id}: {last}", f"this is a bug in ckptmatrix:\n{answer.value}")
    if answer.ended in (Status.CRASHED, Status.TIMEOUT):
        error = ErrorRecord(answer.ended, str(answer.value))
        plain = blank(cell, Status(answer.ended), "")
        return replace(plain, error=error, measured=measured)
    value = answer.value
    if value["how"] == "unsupported":
        return blank(cell, Status.UNSUPPORTED, value["reason"])
    components = {name: Verdict(verdict) for name, verdict in value["components"].items()}
    resume = msgspec.convert(value["resume"], Resume | None)
    return CellRecord(
        cell.writer.id,
        cell.reader.id,
        cell.scenario,
        cell.loader,
        cell.treatment,
        Status.FAILED if value["how"] == "raised" else _status(components, resume),
        components,
        resume,
        msgspec.convert(value["error"], ErrorRecord | None),
        seconds=value["seconds"],
        swallowed=msgspec.convert(value["swallowed"], tuple[ErrorRecord, ...]),
        differences=msgspec.convert(value["differences"], dict[str, Difference]),
        measured=measured,
    )


def _status(components: dict[str, Verdict], resume: Resume | None) -> Status:
    nothing = {Verdict.ABSENT} if resume else {Verdict.ABSENT, Verdict.UNSAVED}
    if nothing.issuperset(components.values()):
        raise HarnessError("a comparison that compared nothing", "give the scenario some state")
    if (resume is None or resume.exact) and not any(
        verdict in BAD for verdict in components.values()
    ):
        return Status.EXACT
    return Status.DEGRADED
