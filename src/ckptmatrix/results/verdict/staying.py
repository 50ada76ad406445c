"""One load after an upgrade, compared with the same load without it."""

from enum import StrEnum
from typing import TypeGuard

from ckptmatrix.model import MEASURED, CellRecord
from ckptmatrix.results.findings.tally import Rank, losses, rank


class Against(StrEnum):
    """How a scenario fares with the upgrade, against staying."""

    WORSE = "worse"
    """A higher rank, or the same one with something lost that was not lost before."""
    BETTER = "better"
    """A lower rank, or the same one with strictly less lost."""
    OTHER = "other"
    """The same rank and the same losses, by another cause; counted as no worse."""
    SAME = "same"
    """As before."""
    NOT_MEASURED = "not-measured"
    """Nothing is known of one of the two, so nothing can be said."""


def against(stay: CellRecord | None, now: CellRecord | None) -> Against:
    """Compare a load with the one that stays in the environment that saved.

    Args:
        stay: the checkpoint loaded where it was saved.
        now: the same checkpoint loaded where it shall go.
    """
    if not is_measured(now):
        return Against.NOT_MEASURED
    if not is_measured(stay):
        # Nothing is better than exact, whatever staying would have been.
        return Against.SAME if rank(now.status) is Rank.EXACT else Against.NOT_MEASURED
    if rank(now.status) != rank(stay.status):
        return Against.WORSE if rank(now.status) > rank(stay.status) else Against.BETTER
    after, before = lost_in_silence(now), lost_in_silence(stay)
    if after - before:
        return Against.WORSE
    if before - after:
        return Against.BETTER
    return Against.SAME if now.cause == stay.cause else Against.OTHER


def lost_in_silence(load: CellRecord) -> frozenset[str]:
    """Components that a load left lost or wrong without an error.

    What a load left behind that raised is not lost in silence.
    """
    return frozenset() if rank(load.status) is Rank.FAILED else frozenset(losses(load))


def is_measured(load: CellRecord | None) -> TypeGuard[CellRecord]:
    """Whether a load really took place."""
    return load is not None and load.status in MEASURED
