"""`--update-expectations`: rewrite `expectations.toml` from a run, keeping what still holds.

What no longer holds goes; what has a known cause is added to that cause's expectation. A cell
without a known cause stays unexpected until a person has written an expectation with a reason: one
without a true reason would only silence the grid.

The whole tier rewrites every expectation that has changed, but for regions with a comment and for
expectations with a reason of their own. A smaller run puts regions for what it found in front of
the others, and takes the scenarios in which it speaks against a region out of that region.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import msgspec

from ckptmatrix.knowledge.causes import known_causes
from ckptmatrix.knowledge.expectations.expectation import (
    Expectation,
    ExpectedRegion,
    matches_patterns,
)
from ckptmatrix.knowledge.expectations.judging import with_ends
from ckptmatrix.knowledge.expectations.reading import (
    ExpectationsFile,
    ExpectationTable,
    RegionLine,
    read_file,
)
from ckptmatrix.knowledge.expectations.regions import Outcome, RunSpace, outcome_of
from ckptmatrix.knowledge.expectations.writing import text_of
from ckptmatrix.model import MEASURED, CellRecord, Matrix, Status, summary
from ckptmatrix.util.files import write_atomically

_SHOWN = 90
"""How much of a message is written down."""

Line = tuple[int, int]
"""Number of a table, and of a region in it."""


@dataclass(frozen=True)
class Update:
    """What became of the file."""

    kept: int
    """Regions that stay as they are."""
    added: int
    """Regions that were not there."""
    dropped: int
    """Regions that are gone."""
    unexplained: int
    """Cells that stay unexpected: there is no known cause to write down."""


def update(path: Path, matrix: Matrix, tier: str, whole: bool = True) -> Update:
    """Rewrite the file so that it is true for the run; one that was not there is for its tier.

    Args:
        path: the file.
        matrix: the run, with the causes found.
        tier: name of the tier; empty if it is not known.
        whole: whether all of it was run. What a run that is not the whole tier of the file has no
            cell of, stays.

    Raises:
        UsageError: something in the file cannot be meant.
    """
    before = read_file(path, tier)
    after, unexplained = updated(before, matrix, whole and tier == before.tier)
    write_atomically(path, text_of(after).encode())
    had, has = _counted(before), _counted(after)
    kept = (had & has).total()
    return Update(kept, has.total() - kept, had.total() - kept, unexplained)


def updated(file: ExpectationsFile, matrix: Matrix, whole: bool) -> tuple[ExpectationsFile, int]:
    """Return the file that is true for a run, and how many cells it leaves unexpected."""
    file = _with_new_tables(file, matrix)
    belonging = _belonging(file, matrix)
    while True:
        look = _look(file, belonging, matrix)
        before, file = file, _without_wrong(file, look, whole)
        if file == before:
            break
    new, file = _with_new_lines(file, look, RunSpace(matrix, whole))
    look = _look(file, belonging, matrix)
    unused = {line for line in (look.stale if whole else new) if line not in look.matched}
    tables = (_only(table, number, unused) for number, table in enumerate(file.tables))
    file = replace(file, tables=tuple(table for table in tables if table.lines))
    return file, len(look.unexplained)


def signature(cell: CellRecord) -> str:
    """Return a pattern for what was raised; its beginning, with numbers left open."""
    text = summary(cell)
    end = "" if len(text) > _SHOWN else "$"
    escaped = re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", text[:_SHOWN])
    return "^" + re.sub(r"\d+", r"\\d+", escaped) + end


@dataclass(frozen=True)
class _Look:
    """What a file makes of a run; cells by their numbers."""

    matched: dict[Line, list[int]] = field(default_factory=dict)
    """Region -> the cells that it speaks for rightly."""
    missing: dict[int, list[int]] = field(default_factory=dict)
    """Table -> the cells that belong into it and have no region there."""
    against: dict[Line, set[str]] = field(default_factory=dict)
    """Region that cannot stay -> the scenarios of the cells that speak against it."""
    stale: set[Line] = field(default_factory=set)
    """Regions that nothing matches any more."""
    unexplained: list[int] = field(default_factory=list)
    """Cells that are not exact, and belong nowhere."""
    exact: list[int] = field(default_factory=list)
    """Cells that are exact."""


def _look(file: ExpectationsFile, belonging: Mapping[int, int], matrix: Matrix) -> _Look:
    known = file.expectations
    lines = tuple(
        (table, line) for table, one in enumerate(file.tables) for line in range(len(one.lines))
    )
    judged, stale = known.judged_all(matrix, date.min)  # nothing has expired
    look = _Look(stale={lines[number] for number in stale})
    for number, (cell, writer, reader) in enumerate(with_ends(matrix)):
        expected = judged[number].expected
        if expected is None:
            continue
        at = known.speaks(cell, writer, reader)
        line = None if at is None else lines[at]
        if line and expected:
            look.matched.setdefault(line, []).append(number)
            continue
        table = belonging.get(number)
        if table is not None:
            look.missing.setdefault(table, []).append(number)
        else:
            (look.exact if cell.status == Status.EXACT else look.unexplained).append(number)
        # A region for it can be put in front of this one only if its table comes first.
        if line and (table is None or table > line[0]):
            look.against.setdefault(line, set()).add(cell.scenario)
    return look


def _with_new_tables(file: ExpectationsFile, matrix: Matrix) -> ExpectationsFile:
    """The file and an empty table for each kind of outcome that has none, in the causes' order."""
    rank = {str(name): number for number, name in enumerate(known_causes())}

    def place(table: ExpectationTable) -> tuple[bool, int, str]:
        """What raised comes first: what else would have been lost there is not seen."""
        entry = table.entry
        return not entry.message, rank.get(entry.cause, -1), entry.message

    added: dict[Expectation, ExpectationTable] = {}
    belonging = _belonging(file, matrix)
    for number, cell in enumerate(matrix.cells):
        if cell.status in MEASURED and cell.cause in rank and number not in belonging:
            message = signature(cell) if cell.error else ""
            entry = Expectation(str(cell.status), (), cell.cause, message)
            added[entry] = ExpectationTable(entry, ())
    placed = list(file.tables)
    for table in sorted(added.values(), key=place):
        later = (number for number, one in enumerate(placed) if place(one) > place(table))
        placed.insert(next(later, len(placed)), table)
    return replace(file, tables=tuple(placed))


def _belonging(file: ExpectationsFile, matrix: Matrix) -> dict[int, int]:
    """Cell that is not exact and has a known cause -> the table that it belongs into."""
    known: dict[tuple[str, str, str | None], int | None] = {}
    found = {}
    for number, cell in enumerate(matrix.cells):
        if cell.status not in MEASURED or not cell.cause:
            continue
        key = (cell.status, cell.cause, summary(cell) if cell.error else None)
        if key not in known:
            fitting = (
                at
                for at, table in enumerate(file.tables)
                if _is_rewritten(table.entry) and table.entry.is_about(cell)
            )
            known[key] = next(fitting, None)
        table = known[key]
        if table is not None:
            found[number] = table
    return found


def _without_wrong(file: ExpectationsFile, look: _Look, whole: bool) -> ExpectationsFile:
    """The file without the regions that cannot stay."""
    if not whole:
        tables = (
            replace(table, lines=tuple(_narrowed(table, number, look.against)))
            for number, table in enumerate(file.tables)
        )
        return replace(file, tables=tuple(tables))
    wrong = look.against.keys() | look.stale
    changed = {table for table, _ in wrong} | look.missing.keys()
    wrong |= {
        (number, at)
        for number in changed
        if _is_rewritten(file.tables[number].entry)
        for at, line in enumerate(file.tables[number].lines)
        if not line.commented
    }
    tables = (_only(table, number, wrong) for number, table in enumerate(file.tables))
    return replace(file, tables=tuple(tables))


def _is_rewritten(entry: Expectation) -> bool:
    """Whether cells may be added to it: what a person has said of some need not hold for others."""
    return bool(entry.cause) and not entry.reason and not entry.expires


def _only(table: ExpectationTable, number: int, without: set[Line]) -> ExpectationTable:
    lines = (line for at, line in enumerate(table.lines) if (number, at) not in without)
    return replace(table, lines=tuple(lines))


def _narrowed(
    table: ExpectationTable, number: int, against: Mapping[Line, set[str]]
) -> Iterator[RegionLine]:
    """The regions of a table without the scenarios that speak against them."""
    for at, line in enumerate(table.lines):
        out = against.get((number, at), set())
        names = _without(line.region.scenario, out) if out else line.region.scenario
        if names:
            yield replace(line, region=msgspec.structs.replace(line.region, scenario=names))


def _without(patterns: tuple[str, ...], names: set[str]) -> tuple[str, ...]:
    """Patterns that match what others do, but for some names; none if nothing is left."""
    left = [pattern for pattern in patterns if pattern not in names]
    if len(left) < len(patterns) and all(pattern.startswith("!") for pattern in left):
        return ()
    still = sorted(name for name in names if matches_patterns(name, left))
    return tuple(one for one in (*left, *(f"!{name}" for name in still)) if one != "*")


def _with_new_lines(
    file: ExpectationsFile, look: _Look, space: RunSpace
) -> tuple[set[Line], ExpectationsFile]:
    """The file with regions for the cells that had none, and which those are.

    They come before the others of their table, the rarest first: what a region has in common with
    one before it is that one's, so those after it may be simple.
    """
    new: set[Line] = set()
    tables = list(file.tables)
    after = space.points_of(look.exact + look.unexplained)
    for number in range(len(tables) - 1, -1, -1):
        own = space.points_of(
            cell for (table, _), cells in look.matched.items() if table == number for cell in cells
        )
        missing = look.missing.get(number, [])
        barred, lines = after | own, list[RegionLine]()
        for outcome, cells in _by_outcome(missing, space.matrix):
            wanted = space.points_of(cells)
            for region in space.regions(wanted, barred, outcome):
                lines.insert(0, RegionLine(region))
            barred |= wanted
        new |= {(number, at) for at in range(len(lines))}
        tables[number] = replace(tables[number], lines=(*lines, *tables[number].lines))
        after |= own | space.points_of(missing)
    return new, replace(file, tables=tuple(tables))


def _by_outcome(numbers: list[int], matrix: Matrix) -> list[tuple[Outcome, list[int]]]:
    """The cells of each outcome, the most frequent first."""
    found: dict[Outcome, list[int]] = defaultdict(list)
    for number in numbers:
        found[outcome_of(matrix.cells[number])].append(number)
    return sorted(found.items(), key=lambda item: (-len(item[1]), sorted(item[0][0]), item[0][1]))


def _counted(file: ExpectationsFile) -> Counter[tuple[str, str, str, ExpectedRegion]]:
    return Counter(
        (table.entry.cause, table.entry.status, table.entry.message, line.region)
        for table in file.tables
        for line in table.lines
    )
