"""`expectations.toml`: outcomes that are known, each with a reason and a link.

Every expectation that covers a cell speaks for it, whatever their order in the file: a cell is as
expected if one of them foretells its status and message, or, where none covers it, if it is exact.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ckptmatrix.errors import UsageError
from ckptmatrix.model import MEASURED, CellRecord, Matrix, Problem, ProblemKind, Status, summary

Plane = tuple[str, str, str, str, str]
"""Stack of the writer, of the reader, scenario, loader, treatment."""


class Expectation(msgspec.Struct, forbid_unknown_fields=True, frozen=True, dict=True):
    """One known outcome, and the cells that it covers."""

    status: str
    """The status word."""
    message: str
    """Regular expression found in the cell's one-line summary."""
    reason: str
    """Why it comes out so."""
    link: str
    """Upstream issue, pull request or line."""
    writer: str = ""
    """Specifier over the writer's accelerate, such as `<0.25`; empty for all."""
    reader: str = ""
    """Specifier over the reader's accelerate."""
    writer_stack: tuple[str, ...] = ("*",)
    """Patterns of stack names, one of which must match."""
    reader_stack: tuple[str, ...] = ("*",)
    """Patterns of stack names."""
    scenario: tuple[str, ...] = ("*",)
    """Patterns of scenario names."""
    loader: tuple[str, ...] = ("accelerate",)
    """Patterns of loader names."""
    treatment: tuple[str, ...] = ("as-saved",)
    """Patterns of treatment names."""
    expires: date | None = None
    """After this day it no longer counts, and says so."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """`message`, compiled."""
        return re.compile(self.message)

    def covers(self, cell: CellRecord) -> bool:
        """Whether it speaks for a cell."""
        return self._names(plane_of(cell)) and self._spans(cell)

    def _names(self, plane: Plane) -> bool:
        writer_stack, reader_stack, scenario, loader, treatment = plane
        return (
            _any(scenario, self.scenario)
            and _any(loader, self.loader)
            and _any(treatment, self.treatment)
            and _any(writer_stack, self.writer_stack)
            and _any(reader_stack, self.reader_stack)
        )

    def _spans(self, cell: CellRecord) -> bool:
        writer, reader = release_and_stack(cell.writer)[0], release_and_stack(cell.reader)[0]
        return _within(writer, self.writer) and _within(reader, self.reader)

    def foretells(self, cell: CellRecord) -> bool:
        """Whether the outcome is the one that it foretells."""
        return cell.status == self.status and bool(self.pattern.search(summary(cell)))

    def name(self) -> str:
        """What it covers, for messages."""
        ends = (
            f"writer {self.writer or 'any'} on {','.join(self.writer_stack)}",
            f"reader {self.reader or 'any'} on {','.join(self.reader_stack)}",
        )
        return f"{'; '.join(ends)}; {','.join(self.scenario)}: {self.status}"


@dataclass(frozen=True)
class Expectations:
    """The whole file."""

    entries: tuple[Expectation, ...]
    """Every expectation, in the order of the file."""
    tier: str = "eras"
    """The tier that the file is written for: only in it can an expectation be stale."""

    def covering(self, cell: CellRecord) -> list[Expectation]:
        """Every expectation that speaks for a cell."""
        plane = plane_of(cell)
        if plane not in self._planes:  # a run has few planes, and many cells in each
            self._planes[plane] = [entry for entry in self.entries if entry._names(plane)]
        return [entry for entry in self._planes[plane] if entry._spans(cell)]

    @cached_property
    def _planes(self) -> dict[Plane, list[Expectation]]:
        return {}

    def laid_over(self, cell: CellRecord, today: date) -> CellRecord:
        """The cell with `expected` and `expectation` filled in."""
        if cell.status not in MEASURED:
            return cell
        covering = self.covering(cell)
        valid = [e for e in covering if e.expires is None or e.expires >= today]
        for entry in valid:
            if entry.foretells(cell):
                return replace(cell, expected=True, expectation=entry.reason)
        if valid:
            return replace(cell, expected=False, expectation=f"expected: {valid[0].name()}")
        if covering:
            return replace(cell, expected=False, expectation=f"expired: {covering[0].name()}")
        return replace(cell, expected=cell.status == Status.EXACT)

    def stale(self, cells: Iterable[CellRecord]) -> list[Expectation]:
        """Expectations that cover measured cells, or none at all, and foretell none of them.

        One whose cells could not be measured cannot be told to be stale.
        """
        foretold, contradicted, unmeasured = set[int](), set[int](), set[int]()
        for cell in cells:
            for entry in self.covering(cell):
                if cell.status not in MEASURED:
                    unmeasured.add(id(entry))
                elif id(entry) not in foretold:
                    (foretold if entry.foretells(cell) else contradicted).add(id(entry))
        live = foretold | (unmeasured - contradicted)
        return [entry for entry in self.entries if id(entry) not in live]


def read_expectations(path: Path) -> Expectations:
    """Read `expectations.toml`; none are expected if it is not there.

    Raises:
        UsageError: an entry is not what it should be; names the entry and what is wrong with it.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Expectations(())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}", "mend that place") from None
    entries = []
    for number, table in enumerate(tables.get("expectation", ()), start=1):
        try:
            entries.append(_entry(table))
        except (msgspec.ValidationError, InvalidSpecifier, re.error, ValueError) as error:
            raise UsageError(
                f"{path.name}: expectation {number}: {error}", "see docs/expectations.md"
            ) from None
    return Expectations(tuple(entries), str(tables.get("tier", "eras")))


def _entry(table: dict[str, Any]) -> Expectation:
    listed = ("writer_stack", "reader_stack", "scenario", "loader", "treatment")
    table = {
        key: [value] if key in listed and isinstance(value, str) else value
        for key, value in table.items()
    }
    entry = msgspec.convert(table, Expectation)
    re.compile(entry.message)
    SpecifierSet(entry.writer), SpecifierSet(entry.reader)
    Status(entry.status)
    if not entry.reason or not entry.link:
        raise ValueError("a reason and a link are needed")
    return entry


def lay_over(matrix: Matrix, expectations: Expectations, whole_tier: str, today: date) -> Matrix:
    """The matrix with every cell marked as expected or not, and with what else makes it fail.

    Args:
        matrix: what was measured.
        expectations: what is known.
        whole_tier: name of the tier if all of it was run, else empty.
        today: expectations that expired before do not count.
    """
    cells = tuple(expectations.laid_over(cell, today) for cell in matrix.cells)
    problems = [
        Problem(
            ProblemKind.EXPECTATION_EXPIRED,
            f"expectation expired on {entry.expires}: {entry.name()}",
        )
        for entry in expectations.entries
        if entry.expires and entry.expires < today
    ]
    if whole_tier == expectations.tier:
        problems += [
            Problem(
                ProblemKind.EXPECTATION_STALE,
                f"expectation that nothing matches any more: {entry.name()}",
            )
            for entry in expectations.stale(cells)
        ]
    return replace(matrix, cells=cells, problems=matrix.problems + tuple(problems))


def plane_of(cell: CellRecord) -> Plane:
    """Everything that names a cell but its two releases."""
    stacks = (release_and_stack(cell.writer)[1], release_and_stack(cell.reader)[1])
    return (*stacks, cell.scenario, cell.loader, cell.treatment)


@cache
def release_and_stack(environment: str) -> tuple[str, str]:
    """The two parts of an environment's id."""
    release, _, stack = environment.removeprefix("accelerate-").partition("+")
    return release, stack


@cache
def _within(release: str, specifier: str) -> bool:
    return not specifier or release in SpecifierSet(specifier, prereleases=True)


@cache
def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
