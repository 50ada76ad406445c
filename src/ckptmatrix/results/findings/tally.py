"""Counting and summing up outcomes: every number of a report comes from here, once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from ckptmatrix.model import BAD, MEASURED, CellRecord, Matrix, Status
from ckptmatrix.model.cell_table import scenarios_in
from ckptmatrix.results.findings.views import View, is_today, view_of

WORST_FIRST = (
    Status.CRASHED,
    Status.TIMEOUT,
    Status.FAILED,
    Status.DEGRADED,
    Status.EXACT,
    Status.NOT_RUN,
    Status.UNSUPPORTED,
)
"""Which status stands for several: the worst that was measured, else why nothing was."""

GLYPHS = {
    Status.EXACT: "✓",
    Status.DEGRADED: "≠",
    Status.FAILED: "✗",
    Status.CRASHED: "‼",
    Status.TIMEOUT: "◷",
    Status.UNSUPPORTED: "–",
    Status.NOT_RUN: "?",
}
"""One character for each status; never shown without the word somewhere near."""

MEANINGS = {
    Status.EXACT: "everything came back and training went on as if never interrupted",
    Status.DEGRADED: "the load returned without an error, but something is lost or differs",
    Status.FAILED: "the load raised",
    Status.CRASHED: "the process died",
    Status.TIMEOUT: "the load never came back",
    Status.UNSUPPORTED: "one of the two releases has no such feature",
    Status.NOT_RUN: "no environment or no checkpoint, so nothing is known",
}
"""One sentence for each status."""


@dataclass(frozen=True)
class Tally:
    """Cells counted by status."""

    by_status: dict[Status, int]
    """Only statuses that occur, worst first."""

    @property
    def measured(self) -> int:
        """The denominator: cells for which a load really took place."""
        return sum(self.by_status.get(status, 0) for status in MEASURED)

    @property
    def total(self) -> int:
        """All cells, measured or not."""
        return sum(self.by_status.values())

    @property
    def exact(self) -> int:
        """Cells that resume whole."""
        return self.by_status.get(Status.EXACT, 0)

    @property
    def worst(self) -> Status:
        """The one status that stands for them all."""
        return next((s for s in WORST_FIRST if s in self.by_status), Status.NOT_RUN)


def tally(statuses: Iterable[Status]) -> Tally:
    """Count statuses."""
    counted = Counter(statuses)
    return Tally({status: counted[status] for status in WORST_FIRST if counted[status]})


def remedied(matrix: Matrix) -> dict[View, Tally]:
    """Count what becomes, by each other way to load, of the loads that are not exact today.

    Each tally has all of those loads; what was not measured by it counts as `not-run`.
    """
    hurt: set[tuple[str, str, str]] = set()
    found: dict[View, dict[tuple[str, str, str], Status]] = {}
    for cell in matrix.cells:
        place = (cell.writer, cell.reader, cell.scenario)
        if not is_today(cell):
            found.setdefault(view_of(cell), {})[place] = cell.status
        elif cell.status in MEASURED and cell.status is not Status.EXACT:
            hurt.add(place)
    return {
        view: tally(statuses.get(place, Status.NOT_RUN) for place in hurt)
        for view, statuses in found.items()
    }


class Rank(IntEnum):
    """How much of the training survives a load, best first."""

    EXACT = 0
    """All of it."""
    DEGRADED = 1
    """Some of it."""
    FAILED = 2
    """Nothing: the load raised, died or never came back."""


def rank(status: Status) -> Rank:
    """Rank what was measured."""
    return {Status.EXACT: Rank.EXACT, Status.DEGRADED: Rank.DEGRADED}.get(status, Rank.FAILED)


def losses(cell: CellRecord) -> tuple[str, ...]:
    """Name the components that a load left lost or wrong."""
    return tuple(name for name, verdict in cell.components.items() if verdict in BAD)


def scenarios_of(matrix: Matrix) -> tuple[str, ...]:
    """List the scenarios of a matrix, in the order in which its cells name them."""
    return scenarios_in(matrix.cells)
