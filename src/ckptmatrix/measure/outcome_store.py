"""Measured outcomes, kept under a key of all that they depend on: nothing is measured twice."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.measure.sources import Project, Sources
from ckptmatrix.model import CellRecord, Status

_TABLE = """
create table if not exists outcomes
    (key text primary key, record blob, seconds real, measured text, sources text default '{}')
"""
_OLDER = "alter table outcomes add column sources text default '{}'"

_DAMAGED = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_FORMAT")


_SOURCES = msgspec.json.Decoder(Sources)


class _Judged(msgspec.Struct):
    """The part of an outcome that says how it came out."""

    status: Status


class StoreError(CkptmatrixError):
    """The outcomes that were kept cannot be read, or none can be added."""


class Store:
    """Outcomes by key, in one SQLite file that several processes may use at once.

    Args:
        path: the file; made if it is not there.
        project: whose files outcomes hang on; one of which a file is another now is not given.

    Raises:
        StoreError: it is damaged, or cannot be written to; so does every method.
    """

    def __init__(self, path: Path, project: Project) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._project = project
        with self._in_words():
            self._database = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._execute("pragma journal_mode=wal")
        self._execute("pragma synchronous=off")  # a lost outcome is only measured again
        self._execute(_TABLE)
        if "sources" not in [row[1] for row in self._execute("pragma table_info(outcomes)")]:
            with suppress(StoreError):  # another process was first
                self._execute(_OLDER)

    def get(self, key: str) -> CellRecord | None:
        """The outcome under a key."""
        rows = self._execute("select record, sources from outcomes where key=?", key)
        if not rows or not self._project.unchanged(_SOURCES.decode(rows[0][1])):
            return None
        return msgspec.json.decode(rows[0][0], type=CellRecord)

    def put(self, key: str, record: CellRecord, sources: Sources) -> None:
        """Keep an outcome and what it hangs on; an earlier one under the same key is replaced."""
        kept = msgspec.json.encode(sources).decode()
        row = (key, msgspec.json.encode(record), record.seconds, record.measured, kept)
        columns = "(key, record, seconds, measured, sources)"
        self._execute(f"insert or replace into outcomes {columns} values (?,?,?,?,?)", *row)

    def statuses(self) -> dict[str, Status]:
        """Key -> status of every outcome here."""
        decode = msgspec.json.Decoder(_Judged).decode
        return {key: decode(record).status for key, record in self._standing("record")}

    def forget(self, keys: Iterable[str]) -> None:
        """Drop outcomes, so that they are measured again."""
        every = [(key,) for key in keys]
        with self._in_words(), self._database:
            self._database.execute("begin")
            self._database.executemany("delete from outcomes where key=?", every)
            self._database.execute("commit")

    def typical_seconds(self) -> float | None:
        """Mean wall-clock seconds of the outcomes here; None if there is none."""
        ((mean,),) = self._execute("select avg(seconds) from outcomes")
        return None if mean is None else float(mean)

    def times(self) -> dict[str, str]:
        """Key -> when it was measured, of every outcome here."""
        return dict(self._standing("measured"))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _standing(self, column: str) -> Iterator[tuple[str, Any]]:
        """Key and column of every outcome whose sources are what they were."""
        stands = cache(lambda sources: self._project.unchanged(_SOURCES.decode(sources)))
        for key, value, sources in self._execute(f"select key, {column}, sources from outcomes"):
            if stands(sources):
                yield key, value

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        with self._in_words():
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", "")
            if not name:
                raise  # a mistake of this program
            place = self._path.with_name("damaged")
            raise StoreError(
                f"{self._path}: {error}",
                f"move it away (mkdir {place} && mv {self._path}* {place}) and run again: "
                "what it knew is measured anew, all else is kept"
                if name.startswith(_DAMAGED)
                else "free some space or make the folder writable, and run again: "
                "what was built and measured so far is kept",
            ) from error


def now() -> str:
    """The time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
