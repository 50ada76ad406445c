"""Ways to load: which loader, after which treatment; the first of them is how it is today."""

from dataclasses import dataclass
from functools import cache

from ckptmatrix.model import CellRecord, Matrix, Treatment
from ckptmatrix.model.cell_table import ways_in


@dataclass(frozen=True)
class View:
    """One way to load."""

    loader: str
    """Name of the loader."""
    treatment: Treatment
    """What was done to the checkpoint before."""

    @property
    def title(self) -> str:
        """What it means to the reader of a report."""
        return _TITLES.get((self.loader, self.treatment), f"{self.loader}, {self.treatment}")


_TITLES = {
    ("accelerate", Treatment.AS_SAVED): "As it is today",
    ("ckptmatrix", Treatment.AS_SAVED): "With ckptmatrix.resume",
    ("accelerate", Treatment.REPAIRED): "After ckptmatrix repair",
    ("ckptmatrix", Treatment.REPAIRED): "Repaired, with ckptmatrix.resume",
}

TODAY = View("accelerate", Treatment.AS_SAVED)
"""accelerate's own loader on the checkpoint as it was saved."""


def view_of(cell: CellRecord) -> View:
    """Give the way in which a cell was loaded."""
    return _view(cell.loader, cell.treatment)


_view = cache(View)  # a run has few, and very many cells


def is_today(cell: CellRecord) -> bool:
    """Whether a cell was loaded as it is today."""
    return cell.loader == TODAY.loader and cell.treatment == TODAY.treatment


def views_of(matrix: Matrix) -> tuple[View, ...]:
    """List the ways to load that a matrix has, today's first."""
    found = {_view(*way) for way in ways_in(matrix.cells)} or {TODAY}
    return tuple(sorted(found, key=lambda v: (v != TODAY, v.treatment, v.loader)))
