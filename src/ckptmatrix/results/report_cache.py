"""A report that still stands: nothing that it says or hangs on has changed since it was made.

Putting a matrix of 200,000 cells together and writing it takes a minute, finding out that nothing
has changed a few seconds.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ckptmatrix.results.conclusion import Conclusion
from ckptmatrix.results.report import DEFAULT, FORMATS
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home, digest


@dataclass(frozen=True)
class _KeptConclusion:
    """What is remembered of the last report in a directory."""

    key: str
    """Digest of what it was made from, and of the files as they were written."""
    conclusion: Conclusion
    """What was said at its end."""


@dataclass(frozen=True)
class ReportCache:
    """The last report in one directory."""

    home: Home
    """Where it is remembered."""
    reports: Path
    """The directory."""
    inputs: tuple[Path, ...]
    """Files and directories that it is made from beside the outcomes: the expectations, the report
    to compare with."""

    def recall(self, outcomes: str) -> Conclusion | None:
        """Its conclusion if the report stands; None if it has to be made anew.

        Args:
            outcomes: digest of all else that it would be made from.
        """
        try:
            kept = msgspec.json.decode(self._place.read_bytes(), type=_KeptConclusion)
        except (OSError, msgspec.DecodeError):
            return None
        return kept.conclusion if kept.key == self._key(outcomes) else None

    def keep(self, outcomes: str, conclusion: Conclusion) -> None:
        """Remember a report that has just been written."""
        kept = _KeptConclusion(self._key(outcomes), conclusion)
        write_atomically(self._place, msgspec.json.encode(kept))

    def _key(self, outcomes: str) -> str:
        written = [self.reports / FORMATS[name].FILENAME for name in DEFAULT]
        # An expectation may expire: what holds today need not hold tomorrow.
        today = datetime.now(UTC).date().isoformat()
        return digest(outcomes, today, [_state(path) for path in (*written, *self.inputs)])

    @property
    def _place(self) -> Path:
        name = digest(str(self.reports.resolve()))[:16]
        return self.home.root / "reports" / f"{name}.json"


def _state(path: Path) -> list[Any]:
    """Another one whenever the file, or one in the directory, has been written."""
    if path.is_dir():
        return [_state(file) for file in sorted(path.iterdir())]
    try:
        found = path.stat()
    except OSError:
        return []
    return [str(path.resolve()), found.st_size, found.st_mtime_ns]
