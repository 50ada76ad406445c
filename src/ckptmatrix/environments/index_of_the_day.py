"""What the package index has, asked once a day: a run with nothing to do stays quick."""

import os
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from ckptmatrix.environments.index import places, releases
from ckptmatrix.environments.pythons import pythons
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.plan.newer import PACKAGES, PYTHON, IndexRelease
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home, digest
from ckptmatrix.util.parallel import side_by_side

Index = dict[str, tuple[IndexRelease, ...]]
"""Package -> its releases, oldest first."""

_DAY = timedelta(days=1)
_AGAIN = timedelta(hours=1)
"""When an index that could not be asked is asked again."""

_TIMEOUT = 5.0
"""Seconds; a run does not wait for an index that does not answer."""


@dataclass(frozen=True)
class _Kept:
    """What is remembered of it."""

    places: str
    """Digest of where was asked."""
    asked: datetime
    """When it was asked last."""
    answered: bool
    """Whether it answered then."""
    index: Index = field(default_factory=dict)
    """What it answered last."""

    def holds(self, now: datetime) -> bool:
        """Whether it need not be asked yet."""
        return now - self.asked < (_DAY if self.answered else _AGAIN)


def ask_index(packages: tuple[str, ...] = (*PACKAGES, PYTHON), timeout: float = 30) -> Index:
    """What the index has now, and which Pythons uv can fetch.

    Args:
        packages: what to ask for.
        timeout: seconds to wait for each answer.

    Raises:
        CkptmatrixError: the index could not be asked.
    """
    places(os.environ)  # once, and not in each thread
    settings = dict(os.environ)

    def one(package: str) -> tuple[IndexRelease, ...]:
        return pythons(settings) if package == PYTHON else releases(package, timeout)

    return dict(zip(packages, side_by_side(one, packages, len(packages)), strict=True))


def index_of_the_day(home: Home) -> Index:
    """What the index had when it was asked last, at most a day ago if it answers.

    Args:
        home: where that is remembered.

    Returns:
        Nothing if it has never answered.
    """
    where, now = digest(asdict(places(os.environ))), datetime.now(UTC)
    try:
        kept = msgspec.json.decode(home.index.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        kept = None
    if kept is None or kept.places != where:
        kept = _Kept(where, datetime.min.replace(tzinfo=UTC), False)
    if not kept.holds(now):
        try:
            kept = _Kept(where, now, True, ask_index(timeout=_TIMEOUT))
        except CkptmatrixError:
            kept = replace(kept, asked=now, answered=False)
        with suppress(OSError):  # then the next run asks again
            write_atomically(home.index, msgspec.json.encode(kept))
    return kept.index
