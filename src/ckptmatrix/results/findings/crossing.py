"""What becomes of one environment's checkpoints in another, over all scenarios asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status, Verdict
from ckptmatrix.results.findings.tally import Rank, losses, rank
from ckptmatrix.results.findings.views import TODAY, View, view_of
from ckptmatrix.util.terminal_text import plain


class Safety(StrEnum):
    """Whether a checkpoint survives a change of environment."""

    SAFE = "safe"
    """Every scenario that was measured resumes exactly."""
    UNSAFE = "unsafe"
    """At least one loses something or fails."""
    UNKNOWN = "not-measured"
    """Nothing of what was asked was measured."""


@dataclass(frozen=True)
class Crossing:
    """Checkpoints of one environment loaded in another, over all scenarios asked for."""

    writer: str
    """Id of the writing environment."""
    reader: str
    """Id of the reading environment."""
    answer: Safety
    """Whether they resume."""
    whole: tuple[str, ...]
    """Components that came back in every scenario that has them and was loaded."""
    lost: dict[str, tuple[str, ...]]
    """Component -> scenarios in which it is lost or wrong without an error."""
    drifts: tuple[str, ...]
    """Scenarios in which every component came back, but the training that follows differs."""
    raised: dict[str, str]
    """Scenario -> how the load failed: exception and message."""
    unmeasured: dict[str, str]
    """Scenario -> why nothing is known."""
    because: dict[str, str]
    """Scenario -> id of its cause, where one is known."""
    ranks: dict[str, Rank]
    """Scenario that was measured -> how bad it is."""

    @property
    def causes(self) -> tuple[str, ...]:
        """Ids of the causes, in the order in which they are met."""
        return tuple(dict.fromkeys(self.because.values()))

    @property
    def hurt(self) -> tuple[str, ...]:
        """Scenarios that do not resume exactly."""
        return tuple(name for name, rank in self.ranks.items() if rank is not Rank.EXACT)

    def losses(self, scenario: str) -> frozenset[str]:
        """Components that are lost in one scenario without an error."""
        return frozenset(name for name, where in self.lost.items() if scenario in where)

    @property
    def measured(self) -> int:
        """Scenarios with a result."""
        return self.total - len(self.unmeasured)

    total: int = 0
    """Scenarios asked for."""


def cross(
    matrix: Matrix, writer: str, reader: str, scenarios: Iterable[str], view: View = TODAY
) -> Crossing:
    """Sum up what was measured for one writer and one reader."""
    asked = tuple(scenarios)
    found = {
        cell.scenario: cell
        for cell in matrix.cells
        if cell.writer == writer and cell.reader == reader and view_of(cell) == view
    }
    cells = [found[name] for name in asked if name in found and found[name].status in MEASURED]
    unmeasured = {
        name: f"{found[name].status}: {found[name].reason}" if name in found else "not in this run"
        for name in asked
        if name not in found or found[name].status not in MEASURED
    }
    # What a load left behind that raised is not lost in silence.
    returned = [cell for cell in cells if cell.status in (Status.EXACT, Status.DEGRADED)]
    lost: dict[str, tuple[str, ...]] = {}
    for cell in returned:
        for name in losses(cell):
            lost[name] = (*lost.get(name, ()), cell.scenario)
    present = dict.fromkeys(
        name
        for cell in returned
        for name, verdict in cell.components.items()
        if verdict is Verdict.RESTORED
    )
    if not cells:
        answer = Safety.UNKNOWN
    elif all(cell.status is Status.EXACT for cell in cells):
        answer = Safety.SAFE
    else:
        answer = Safety.UNSAFE
    return Crossing(
        writer=writer,
        reader=reader,
        answer=answer,
        whole=tuple(name for name in present if name not in lost),
        lost=lost,
        drifts=tuple(
            cell.scenario for cell in cells if cell.status is Status.DEGRADED and not losses(cell)
        ),
        raised={cell.scenario: _raised(cell) for cell in cells if _raised(cell)},
        unmeasured=unmeasured,
        because={cell.scenario: cell.cause for cell in cells if cell.cause},
        ranks={cell.scenario: rank(cell.status) for cell in cells},
        total=len(asked),
    )


def _raised(cell: CellRecord) -> str:
    if cell.error is not None and cell.status is Status.FAILED:
        return plain(f"{cell.error.type}: {cell.error.message}".partition("\n")[0])
    if cell.status in (Status.CRASHED, Status.TIMEOUT, Status.FAILED):
        return str(cell.status)
    return ""
