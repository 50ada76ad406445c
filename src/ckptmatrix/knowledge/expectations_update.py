"""`--update-expectations`: rewrite `expectations.toml` from a run, sorted, keeping comments.

Only an outcome whose cause is known is recorded, with that cause's words and link: an expectation
without a true reason would only silence the grid.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import tomlkit
from packaging.version import Version

from ckptmatrix.knowledge.expectations import (
    Expectation,
    Expectations,
    Plane,
    plane_of,
    release_and_stack,
)
from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status, summary
from ckptmatrix.util.files import write_atomically

_Outcome = tuple[str, str, str]
"""Status, message pattern, cause id."""

_LISTED = ("writer_stack", "reader_stack", "scenario", "loader", "treatment")


@dataclass(frozen=True)
class _Rectangle:
    """Cells of one kind of outcome: ranges of releases, and names for the rest."""

    outcome: _Outcome
    writers: tuple[str, str]
    """First and last of the writers' releases."""
    readers: tuple[str, str]
    """First and last of the readers' releases."""
    writer_stack: tuple[str, ...]
    reader_stack: tuple[str, ...]
    scenario: tuple[str, ...]
    loader: tuple[str, ...]
    treatment: tuple[str, ...]

    def with_names(self, field: str, names: tuple[str, ...]) -> "_Rectangle":
        """The same with other names in one of the fields of `_LISTED`."""
        changes: dict[str, Any] = {field: names}
        return replace(self, **changes)


def update(
    path: Path, known: Expectations, matrix: Matrix, whole: bool = True
) -> tuple[int, int, int]:
    """Rewrite the file so that it is true for the run.

    Args:
        path: the file.
        known: what it says.
        matrix: the run.
        whole: whether it was all of the tier; what a smaller run has no cell of, stays.

    Returns:
        How many expectations were kept, added and dropped.
    """
    wrong = {id(entry) for entry in known.stale(matrix.cells)}
    wrong |= {id(entry) for cell in matrix.cells for entry in _against(known, cell)}
    elsewhere = []
    if not whole:
        spoken = {id(entry) for cell in matrix.cells for entry in known.covering(cell)}
        wrong &= spoken
        elsewhere = [_elsewhere(entry, matrix) for entry in known.entries if id(entry) in wrong]
    kept = [e for e in known.entries if id(e) not in wrong]
    left = Expectations(tuple(kept), known.tier)
    rest = [c for c in matrix.cells if not _spoken_for(left, c)]
    added = [_expectation(r, matrix) for r in rectangles(matrix.cells, rest) if r.outcome[2]]
    _write(path, known, kept, [*added, *filter(None, elsewhere)])
    return len(kept), len(added), len(known.entries) - len(kept)


def _elsewhere(entry: Expectation, matrix: Matrix) -> Expectation | None:
    """The same for the scenarios that it names and the run does not have; None if there is none."""
    there = {cell.scenario for cell in matrix.cells}
    names = tuple(name for name in entry.scenario if name not in there)
    named = not any(set(name) & set("*?[") for name in entry.scenario)
    return msgspec.structs.replace(entry, scenario=names) if named and names else None


def _against(known: Expectations, cell: CellRecord) -> list[Expectation]:
    """What covers a cell that comes out as no expectation foretells."""
    if cell.status not in MEASURED:
        return []
    covering = known.covering(cell)
    return [] if any(entry.foretells(cell) for entry in covering) else covering


def _spoken_for(left: Expectations, cell: CellRecord) -> bool:
    if cell.status not in MEASURED or cell.status == Status.EXACT:
        return True
    return any(entry.foretells(cell) for entry in left.covering(cell))


def rectangles(cells: Iterable[CellRecord], wanted: Iterable[CellRecord]) -> list[_Rectangle]:
    """Cover the wanted cells by as few rectangles of releases as a simple sweep finds.

    A rectangle may contain cells that were not measured, but none with another outcome.
    """
    planes: dict[Plane, dict[tuple[str, str], _Outcome | None]] = defaultdict(dict)
    for cell in cells:
        found_there = _outcome(cell) if cell.status in MEASURED else None
        planes[plane_of(cell)][_releases(cell)] = found_there
    todo: dict[Plane, dict[tuple[str, str], _Outcome]] = defaultdict(dict)
    for cell in wanted:
        todo[plane_of(cell)][_releases(cell)] = _outcome(cell)
    found = []
    for plane, marked in todo.items():
        grid = planes[plane]
        for outcome in dict.fromkeys(marked.values()):
            pairs = {pair for pair, o in marked.items() if o == outcome}
            found += [
                _Rectangle(outcome, writers, readers, *((name,) for name in plane))
                for writers, readers in _cover(pairs, grid, outcome)
            ]
    for name in ("reader_stack", "writer_stack", "scenario", "loader", "treatment"):
        found = _merged(found, name)
    return sorted(found, key=lambda r: (r.scenario, r.outcome, Version(r.readers[0]), repr(r)))


def _releases(cell: CellRecord) -> tuple[str, str]:
    return release_and_stack(cell.writer)[0], release_and_stack(cell.reader)[0]


def _outcome(cell: CellRecord) -> _Outcome:
    return str(cell.status), signature(cell), cell.cause or ""


def signature(cell: CellRecord) -> str:
    """The summary as a pattern: numbers, paths and shapes are left open."""
    text = summary(cell)[:90]
    return re.sub(r"(\\ )+", " ", re.sub(r"\d+", r"\\d+", _escape(text)))


def _escape(text: str) -> str:
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text)


def _cover(
    pairs: set[tuple[str, str]],
    grid: dict[tuple[str, str], _Outcome | None],
    outcome: _Outcome,
) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Greedy: grow from the first uncovered pair, first along the readers, then the writers."""
    writers = sorted({w for w, _ in grid}, key=Version)
    readers = sorted({r for _, r in grid}, key=Version)
    fits = {pair for pair, found in grid.items() if found in (None, outcome)}
    left, found = set(pairs), []
    for i, writer in enumerate(writers):
        for j, reader in enumerate(readers):
            if (writer, reader) not in left:
                continue
            right = j
            while right + 1 < len(readers) and (writer, readers[right + 1]) in fits:
                right += 1
            span = readers[j : right + 1]
            low = i
            while low + 1 < len(writers) and all((writers[low + 1], r) in fits for r in span):
                low += 1
            covered = {(w, r) for w in writers[i : low + 1] for r in span}
            ours = covered & pairs
            last_r = max((r for _, r in ours), key=Version)
            last_w = max((w for w, _ in ours), key=Version)
            left -= covered
            found.append(((writer, last_w), (reader, last_r)))
    return found


def _merged(found: list[_Rectangle], name: str) -> list[_Rectangle]:
    """Rectangles that differ in one name alone become one."""
    groups: dict[_Rectangle, list[str]] = defaultdict(list)
    for rectangle in found:
        groups[rectangle.with_names(name, ())] += getattr(rectangle, name)
    return [key.with_names(name, tuple(sorted(set(v)))) for key, v in groups.items()]


def _expectation(rectangle: _Rectangle, matrix: Matrix) -> Expectation:
    status, message, cause_id = rectangle.outcome
    cause = matrix.causes[cause_id]
    return Expectation(
        status,
        message,
        cause.title,
        cause.links[0] if cause.links else f"docs/causes.md#{cause_id}",
        _range(*rectangle.writers),
        _range(*rectangle.readers),
        *(getattr(rectangle, name) for name in _LISTED),
    )


def _range(first: str, last: str) -> str:
    return f"=={first}" if first == last else f">={first},<={last}"


def _write(
    path: Path, known: Expectations, kept: list[Expectation], added: list[Expectation]
) -> None:
    """Write kept tables (with their comments) and added ones, sorted, below the file's head."""
    text = path.read_text(encoding="utf-8") if path.exists() else f'tier = "{known.tier}"\n'
    document = tomlkit.parse(text)
    tables = list(document.get("expectation", ()))
    keeping = {id(entry) for entry in kept}
    pairs = [(e, t) for e, t in zip(known.entries, tables, strict=True) if id(e) in keeping]
    pairs += [(entry, _table(entry)) for entry in added]
    pairs.sort(key=lambda pair: (pair[0].scenario, pair[0].reader, pair[0].writer, pair[0].status))
    document.pop("expectation", None)
    array = tomlkit.aot()
    for _, table in pairs:
        array.append(table)
    document.append("expectation", array)
    # Tables that were read bring their blank line along and are given another.
    text = re.sub(r"\n{3,}", "\n\n", tomlkit.dumps(document))
    write_atomically(path, text.encode())


def _table(entry: Expectation) -> tomlkit.items.Table:
    table = tomlkit.table()
    for name in ("writer", "reader", *_LISTED, "status", "message", "reason", "link"):
        value = getattr(entry, name)
        if value in ("", ("*",)):
            continue
        if isinstance(value, tuple):
            table.append(name, value[0] if len(value) == 1 else list(value))
        else:
            literal = name == "message" and "'" not in value
            table.append(name, tomlkit.string(value, literal=literal))
    return table
