"""What changed between two runs: regressed, fixed, changed, new, gone."""

from dataclasses import dataclass, replace
from enum import StrEnum

from ckptmatrix.model import (
    MEASURED,
    CellRecord,
    Device,
    Environment,
    EnvironmentRecord,
    Matrix,
    Status,
)
from ckptmatrix.results.findings.tally import losses, rank
from ckptmatrix.results.findings.views import is_today, view_of


class ChangeKind(StrEnum):
    """How a cell differs between the old run and the new one."""

    REGRESSED = "regressed"
    """It was better before: exact and no longer so, or it now raises, or loses more."""
    FIXED = "fixed"
    """It was not exact and now is."""
    CHANGED = "changed"
    """Not exact in both, but in another way."""
    NEW = "new"
    """Measured only in the new run."""
    GONE = "gone"
    """Measured only in the old run."""


@dataclass(frozen=True)
class CellChange:
    """One cell that is not as it was."""

    change: ChangeKind
    """What kind of change it is."""
    old: CellRecord | None
    """The cell in the old run; None if that run does not have it."""
    new: CellRecord | None
    """The cell in the new run; None if that run does not have it."""

    @property
    def cell(self) -> CellRecord:
        """The newer of the two, to name the cell by."""
        cell = self.new or self.old
        assert cell is not None
        return cell


@dataclass(frozen=True)
class Diff:
    """Everything that two runs differ in, cell by cell."""

    changes: tuple[CellChange, ...]
    """In the order of the new run, then what is gone in the order of the old."""
    compared: int
    """Cells that both runs measured: the denominator of regressed, fixed and changed."""
    environments: dict[str, EnvironmentRecord]
    """Environment id -> record, for the environments of both runs."""
    apart: tuple[Device, ...] = ()
    """Devices of the new run on which the old one has nothing: a CPU's outcome is no measure of a
    GPU's, so nothing is compared there."""

    def environment(self, id_: str) -> Environment:
        """Give release and stack of an environment; of one that no run describes the id alone."""
        record = self.environments.get(id_)
        return Environment(record.accelerate, record.stack) if record else Environment(id_, "?")

    def of(self, change: ChangeKind) -> tuple[CellChange, ...]:
        """Select one kind."""
        return tuple(item for item in self.changes if item.change is change)

    @property
    def counts(self) -> dict[ChangeKind, int]:
        """How many of each kind, zeros included."""
        return {change: len(self.of(change)) for change in ChangeKind}

    @property
    def sentence(self) -> str:
        """Sum it up: `2 regressed, 1 fixed, 3 new`."""
        parts = [f"{count} {change}" for change, count in self.counts.items() if count]
        told = ", ".join(parts) or "nothing changed"
        if self.apart:
            told += f"; nothing to compare with on {' and '.join(self.apart)}"
        return told


CellKey = tuple[str, str, str, str, str]
"""Writer, reader, scenario, loader and treatment."""


def key_of(cell: CellRecord) -> CellKey:
    """Give what makes a cell the same cell in another run."""
    return (cell.writer, cell.reader, cell.scenario, cell.loader, cell.treatment)


def compare(old: Matrix, new: Matrix) -> Diff:
    """Compare two runs cell by cell.

    Seconds, dates and values of random numbers do not count; status, cause, kind of exception and
    verdicts do.
    """
    before = {key_of(cell): cell for cell in old.cells}
    after = {key_of(cell): cell for cell in new.cells}
    changes = [
        CellChange(change, before.get(key), cell)
        for key, cell in after.items()
        if (change := _change(before.get(key), cell)) is not None
    ]
    changes += [
        CellChange(ChangeKind.GONE, cell, None)
        for key, cell in before.items()
        if key not in after and cell.status in MEASURED
    ]
    compared = sum(
        cell.status in MEASURED and key in before and before[key].status in MEASURED
        for key, cell in after.items()
    )
    before_on = devices_of(old)
    apart = tuple(device for device in devices_of(new) if device not in before_on)
    return Diff(tuple(changes), compared, old.environments | new.environments, apart)


def devices_of(matrix: Matrix) -> tuple[Device, ...]:
    """Give the devices of a run; an earlier version named but one, and not in its environments."""
    found = {record.device for record in matrix.environments.values()}
    if matrix.run.device not in found:
        found = {matrix.run.device}
    return tuple(device for device in Device if device in found)


def on_common_ground(old: Matrix, new: Matrix) -> Matrix:
    """Leave of an old run what a new one could have been expected to measure.

    A smaller run misses nothing by being smaller, nor one in which a remedy is not needed any more.
    """
    if not set(devices_of(old)) & set(devices_of(new)):
        return replace(old, cells=())  # what has the same name there was on another device
    places = {(cell.scenario, view_of(cell)) for cell in new.cells}
    measured = set(map(key_of, new.cells))
    whole = {
        (cell.writer, cell.reader, cell.scenario)
        for cell in new.cells
        if is_today(cell) and cell.status is Status.EXACT
    }

    def common(cell: CellRecord) -> bool:
        return (
            cell.writer in new.environments
            and cell.reader in new.environments
            and (cell.scenario, view_of(cell)) in places
            and (
                is_today(cell)
                or key_of(cell) in measured
                or (cell.writer, cell.reader, cell.scenario) not in whole
            )
        )

    return replace(old, cells=tuple(filter(common, old.cells)))


def _change(old: CellRecord | None, new: CellRecord) -> ChangeKind | None:
    was, is_ = old is not None and old.status in MEASURED, new.status in MEASURED
    if old is None or not was:
        return ChangeKind.NEW if is_ else None
    if not is_:
        return ChangeKind.GONE
    if new.status is Status.EXACT:
        return None if old.status is Status.EXACT else ChangeKind.FIXED
    if rank(new.status) > rank(old.status):
        return ChangeKind.REGRESSED
    if set(losses(new)) > set(losses(old)) and new.status is old.status:
        return ChangeKind.REGRESSED
    return None if _nature(new) == _nature(old) else ChangeKind.CHANGED


def _nature(cell: CellRecord) -> tuple[object, ...]:
    error = cell.error.type if cell.error else ""
    return (cell.status, cell.cause, error, tuple(sorted(cell.components.items())))
