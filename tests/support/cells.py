"""Cells for tests, in few words."""

from ckptmatrix.model import CellRecord, ErrorRecord, Status, Treatment, Verdict


def cell(
    writer: str = "0.33.0+torch2.4-np1",
    reader: str = "1.15.0+torch2.4-np1",
    status: str = "exact",
    lost: tuple[str, ...] = (),
    error: str = "",
    cause: str | None = None,
    scenario: str = "basic",
) -> CellRecord:
    kind, _, message = error.partition(": ")
    return CellRecord(
        f"accelerate-{writer}",
        f"accelerate-{reader}",
        scenario,
        "accelerate",
        Treatment.AS_SAVED,
        Status(status),
        {"model": Verdict.RESTORED, **dict.fromkeys(lost, Verdict.LOST)},
        error=ErrorRecord(kind, message) if error else None,
        cause=cause,
    )
