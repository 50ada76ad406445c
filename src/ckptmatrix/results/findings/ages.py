"""Which loads were measured in this run, which in an earlier one, and when."""

from collections import Counter

from ckptmatrix.model import MEASURED, CellRecord, Matrix, RunRecord


def when(cell: CellRecord, run: RunRecord) -> str:
    """`in this run`, or `on 2026-11-23, by an earlier run`; empty if nothing was loaded."""
    if cell.status not in MEASURED:
        return ""
    if cell.measured >= run.started:
        return "in this run"
    return f"on {cell.measured[:10]}, by an earlier run"


def ages(matrix: Matrix) -> str:
    """How many loads were measured now, and between which days the others were."""
    measured = [cell for cell in matrix.cells if cell.status in MEASURED]
    days = Counter(c.measured[:10] for c in measured if c.measured < matrix.run.started)
    now = len(measured) - sum(days.values())
    if not days:
        return f"all {now:,} loads were measured in this run"
    first, last = min(days), max(days)
    span = f"on {first}" if first == last else f"between {first} and {last}"
    return (
        f"{now:,} of {len(measured):,} loads were measured in this run, "
        f"the others by earlier ones {span}"
    )
