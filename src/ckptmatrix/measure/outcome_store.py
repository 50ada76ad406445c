"""Measured outcomes, kept under a key of all that they depend on: nothing is measured twice."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ckptmatrix.model import CellRecord, Status

_TABLE = """
create table if not exists outcomes (key text primary key, record blob, seconds real, measured text)
"""


class _Judged(msgspec.Struct):
    """The part of an outcome that says how it came out."""

    status: Status


class Store:
    """Outcomes by key, in one SQLite file that several processes may use at once.

    Args:
        path: the file; made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._database.execute("pragma journal_mode=wal")
        self._database.execute("pragma synchronous=off")  # a lost outcome is only measured again
        self._database.execute(_TABLE)

    def get(self, key: str) -> CellRecord | None:
        """The outcome under a key."""
        row = self._database.execute("select record from outcomes where key=?", (key,)).fetchone()
        return msgspec.json.decode(row[0], type=CellRecord) if row else None

    def put(self, key: str, record: CellRecord) -> None:
        """Keep an outcome; an earlier one under the same key is replaced."""
        row = (key, msgspec.json.encode(record), record.seconds, record.measured)
        self._database.execute("insert or replace into outcomes values (?,?,?,?)", row)

    def statuses(self) -> dict[str, Status]:
        """Key -> status of every outcome here."""
        rows = self._database.execute("select key, record from outcomes")
        decode = msgspec.json.Decoder(_Judged).decode
        return {key: decode(record).status for key, record in rows}

    def forget(self, keys: Iterable[str]) -> None:
        """Drop outcomes, so that they are measured again."""
        with self._database:
            self._database.execute("begin")
            self._database.executemany("delete from outcomes where key=?", ((key,) for key in keys))
            self._database.execute("commit")

    def typical_seconds(self) -> float | None:
        """Mean wall-clock seconds of the outcomes here; None if there is none."""
        (mean,) = self._database.execute("select avg(seconds) from outcomes").fetchone()
        return None if mean is None else float(mean)

    def times(self) -> dict[str, str]:
        """Key -> when it was measured, of every outcome here."""
        return dict(self._database.execute("select key, measured from outcomes"))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
