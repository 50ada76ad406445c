"""Which remedies are measured beside a plain load."""

from ckptmatrix.model import MEASURED, Cell, Status
from ckptmatrix.util.home import digest

_SAMPLE = 20
"""One in so many scenarios of a reader has the remedies measured where loads are exact as well."""


def remedies_of(cell: Cell, status: Status) -> tuple[Cell, ...]:
    """The remedies to measure beside a cell that came out so.

    Those of a load that is not exact, and of a sample of the rest, to see that none harms.
    """
    if status not in MEASURED or (status == Status.EXACT and not _sampled(cell)):
        return ()
    return cell.remedies


def _sampled(cell: Cell) -> bool:
    # Not by the content, which differs in last bits from one kind of processor to another:
    # expectations are to hold on both.
    return int(digest(cell.reader.id, cell.scenario)[:8], 16) % _SAMPLE == 0
