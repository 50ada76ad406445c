"""Counting and summing up outcomes: every number of a report comes from here, once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status

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
    Status.TIMEOUT: "⧗",
    Status.UNSUPPORTED: "–",
    Status.NOT_RUN: "?",
}
"""One character for each status; never shown without the word somewhere near."""

MEANINGS = {
    Status.EXACT: "everything came back and training went on as if never interrupted",
    Status.DEGRADED: "the load returned, but something is lost or differs, and nobody is told",
    Status.FAILED: "the load raised",
    Status.CRASHED: "the process died",
    Status.TIMEOUT: "the load never came back",
    Status.UNSUPPORTED: "one of the two releases has no such feature",
    Status.NOT_RUN: "no environment or no checkpoint, so nothing is known",
}
"""One sentence for each status."""


@dataclass(frozen=True)
class View:
    """One way to load: which loader, after which treatment."""

    loader: str
    """Name of the loader."""
    treatment: str
    """Name of the treatment."""

    @property
    def title(self) -> str:
        """What it means to the reader of a report."""
        known = {
            ("accelerate", "as-saved"): "As it is today",
            ("ckptmatrix", "as-saved"): "With ckptmatrix.resume",
            ("accelerate", "repaired"): "After ckptmatrix repair",
            ("ckptmatrix", "repaired"): "Repaired, with ckptmatrix.resume",
        }
        return known.get((self.loader, self.treatment), f"{self.loader}, {self.treatment}")


TODAY = View("accelerate", "as-saved")
"""accelerate's own loader on the checkpoint as it was saved."""


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


def mended(matrix: Matrix) -> dict[View, Tally]:
    """Count what becomes, by each other way to load, of the loads that are not exact today.

    Each tally has all of those loads; what was not measured by it counts as `not-run`.
    """
    hurt: set[tuple[str, str, str]] = set()
    found: dict[View, dict[tuple[str, str, str], Status]] = {}
    for cell in matrix.cells:
        place, view = (cell.writer, cell.reader, cell.scenario), view_of(cell)
        if view != TODAY:
            found.setdefault(view, {})[place] = cell.status
        elif cell.status in MEASURED and cell.status is not Status.EXACT:
            hurt.add(place)
    return {
        view: tally(statuses.get(place, Status.NOT_RUN) for place in hurt)
        for view, statuses in found.items()
    }


def rank(status: Status) -> int:
    """Order what was measured by how much of the training survives: 0 all, 1 some, 2 none."""
    return {Status.EXACT: 0, Status.DEGRADED: 1}.get(status, 2)


def view_of(cell: CellRecord) -> View:
    """Tell how a cell was loaded."""
    return View(cell.loader, cell.treatment)


def views_of(matrix: Matrix) -> tuple[View, ...]:
    """List the ways to load that a matrix has, today's first."""
    found = {view_of(cell) for cell in matrix.cells} or {TODAY}
    return tuple(sorted(found, key=lambda v: (v != TODAY, v.treatment, v.loader)))


def scenarios_of(matrix: Matrix) -> tuple[str, ...]:
    """List the scenarios of a matrix, in the order in which its cells name them."""
    return tuple(dict.fromkeys(cell.scenario for cell in matrix.cells))
