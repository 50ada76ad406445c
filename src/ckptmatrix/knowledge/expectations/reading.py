"""`expectations.toml` read, with the line of each thing for errors, and with its comments.

An expectation is a table `[[expectation]]`; each region is a line of its own in its `cells`. A
comment belongs to what follows it, or to the line that it ends.
"""

import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.expectations.expectation import Expectation, ExpectedRegion
from ckptmatrix.knowledge.expectations.judging import Expectations
from ckptmatrix.util.handed_over import parse_toml, read_text, understood

HEAD = '# Outcomes that are known; docs/expectations.md explains.\ntier = "{}"\n'
"""How a file begins that is not there yet."""

_LISTS = ("stacks", "scenario", "loader", "treatment", "lost", "wrong", "unsaved")
_OPENING = re.compile(r"\s*\[\[\s*expectation\s*\]\]")
_KEY = re.compile(r"\s*(\w+)\s*=\s*(.*)")
_T = TypeVar("_T", bound=msgspec.Struct)


@dataclass(frozen=True)
class RegionLine:
    """A region as it stands in the file."""

    region: ExpectedRegion
    """What it says."""
    above: tuple[str, ...] = ()
    """Comment lines before it."""
    beside: str = ""
    """The comment at its end."""

    @property
    def commented(self) -> bool:
        """Whether a person has written something to it."""
        return bool(self.above or self.beside)


@dataclass(frozen=True)
class ExpectationTable:
    """An expectation as it stands in the file."""

    entry: Expectation
    """What it says, its regions left out."""
    lines: tuple[RegionLine, ...]
    """Its regions."""
    above: tuple[str, ...] = ()
    """Lines before it: comments, and empty ones between them."""
    beside: dict[str, str] = field(default_factory=dict)
    """Key (empty for the opening line) -> the comment at the end of its line."""
    below: tuple[str, ...] = ()
    """Comment lines after the last region."""


@dataclass(frozen=True)
class ExpectationsFile:
    """The whole file."""

    head: str
    """Everything before the first expectation."""
    tables: tuple[ExpectationTable, ...]
    """The expectations, in order."""
    tier: str = "eras"
    """The tier that it is written for."""
    tail: tuple[str, ...] = ()
    """Comment lines after the last expectation."""

    @property
    def expectations(self) -> Expectations:
        """What it says."""
        return Expectations(
            tuple(
                msgspec.structs.replace(
                    table.entry, cells=tuple(line.region for line in table.lines)
                )
                for table in self.tables
            ),
            self.tier,
        )


def expectations_file(root: Path, tier: str) -> Path:
    """The file that a run of a tier is judged by: `expectations.TIER.toml`, where the tier has one.

    Args:
        root: the project's folder.
        tier: name of the tier; empty if it is not known.
    """
    own = root / f"expectations.{tier}.toml"
    return own if tier and own.is_file() else root / "expectations.toml"


def read_expectations(path: Path) -> Expectations:
    """Read `expectations.toml`; none are expected if it is not there.

    Raises:
        UsageError: something in it cannot be meant; names the line, the key and a remedy.
    """
    return read_file(path).expectations


def read_file(path: Path, new: str = "") -> ExpectationsFile:
    """Read `expectations.toml` with its comments; as for `read_expectations`.

    Args:
        path: the file.
        new: the tier that it is for if there is none yet; `eras` if empty.
    """
    with understood(str(path), "correct it; docs/expectations.md has every key"):
        return _read(path, new)


def _read(path: Path, new: str) -> ExpectationsFile:
    try:
        text = read_text(path)
        tables = parse_toml(text)
    except FileNotFoundError:
        tier = new or "eras"
        return ExpectationsFile(HEAD.format(tier), (), tier)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} is not valid TOML: {error}", "correct that place") from None
    return _Reader(path.name, [line.rstrip() for line in text.split("\n")]).file(tables)


@dataclass
class _Reader:
    """Goes once through the lines of a file that is known to be TOML."""

    name: str
    """The file's name, for errors."""
    lines: list[str]
    """Its lines."""
    at: int = 0
    """How many lines have been read."""

    def file(self, tables: dict[str, Any]) -> ExpectationsFile:
        for key, value in tables.items():
            if key not in ("tier", "expectation") or (key == "tier" and not isinstance(value, str)):
                raise self._wrong(self._line_of(key), key, "there are tier and [[expectation]]")
        found = tables.get("expectation", ())
        starts = [at for at, line in enumerate(self.lines) if _OPENING.match(line)]
        if len(starts) != len(found):
            line = self._line_of("expectation")
            raise self._wrong(line, "expectation", "each stands below a line [[expectation]]")
        first = starts[0] if starts else len(self.lines)
        while starts and first and self.lines[first - 1].startswith("#"):
            first -= 1
        head = "\n".join(self.lines[:first]).strip("\n") + "\n"
        loose = self.lines[first : starts[0]] if starts else []
        read = []
        for start, table in zip(starts, found, strict=True):
            self.at = start + 1
            one, after = self._table(table)
            read.append(replace(one, above=(*_trimmed(loose), *one.above)))
            loose = after
        return ExpectationsFile(head, tuple(read), tables.get("tier", "eras"), _trimmed(loose))

    def _table(self, table: dict[str, Any]) -> tuple[ExpectationTable, list[str]]:
        """A table up to the next one, and the lines after its last key."""
        places = {"": self.at}
        beside = {"": _comment_of(self.lines[self.at - 1])}
        regions, below = list[RegionLine](), list[str]()
        above, loose = list[str](), list[str]()
        while self.at < len(self.lines) and not _OPENING.match(self.lines[self.at]):
            found = _KEY.match(self.lines[self.at])
            self.at += 1
            if not found:
                line = self.lines[self.at - 1].lstrip()
                loose += [line] if line[:1] in ("", "#") else []
                continue
            above += filter(None, loose)
            loose = []
            places[found[1]] = self.at
            beside[found[1]] = _comment_of(self.lines[self.at - 1])
            if found[1] == "cells":
                regions, below = self._regions(found[2])
        entry = self._converted({**table, "cells": []}, Expectation, places)
        whole = msgspec.structs.replace(entry, cells=tuple(line.region for line in regions))
        self._check(whole, places)
        kept = {key: comment for key, comment in beside.items() if comment}
        return ExpectationTable(entry, tuple(regions), tuple(above), kept, tuple(below)), loose

    def _regions(self, opened: str) -> tuple[list[RegionLine], list[str]]:
        """The lines from behind `cells = [` up to its end, and the comments after the last."""
        if opened.partition("#")[0].strip() != "[":
            raise self._crowded()
        regions, above = list[RegionLine](), list[str]()
        while (line := self.lines[self.at].strip())[:1] != "]":
            self.at += 1
            if line.startswith("#"):
                above.append(line)
            elif line:
                table, comment = self._inline_table(line)
                region = self._converted(table, ExpectedRegion, {"": self.at})
                self._check(region, {"": self.at})
                regions.append(RegionLine(region, tuple(above), comment))
                above = []
        self.at += 1
        return regions, above

    def _inline_table(self, line: str) -> tuple[dict[str, Any], str]:
        """A region's table and the comment behind it."""
        for end in (at + 1 for at, sign in enumerate(line) if sign == "}"):
            try:
                table = tomllib.loads(f"region = {line[:end]}")["region"]
            except tomllib.TOMLDecodeError:
                continue
            rest = line[end:].lstrip(" \t,")
            if isinstance(table, dict) and (not rest or rest.startswith("#")):
                return table, rest
        raise self._crowded()

    def _converted(self, table: dict[str, Any], shape: type[_T], places: dict[str, int]) -> _T:
        table = {
            key: [value] if key in _LISTS and isinstance(value, str) else value
            for key, value in table.items()
        }
        try:
            return msgspec.convert(table, shape)
        except msgspec.ValidationError as error:
            named = re.search(r"`\$\.(\w+)|field `(\w+)`", str(error))
            key = (named[1] or named[2]) if named else ""
            problem = str(error).partition(" - at ")[0]
            raise self._wrong(places.get(key, places[""]), key, problem) from None

    def _check(self, read: Expectation | ExpectedRegion, places: dict[str, int]) -> None:
        problem = read.problem()
        if problem:
            raise self._wrong(places.get(problem[0], places[""]), *problem)

    def _line_of(self, key: str) -> int:
        """The line that begins with a key or opens its table."""
        begins = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}\b")
        found = (number for number, line in enumerate(self.lines, 1) if begins.match(line))
        return next(found, 1)

    def _crowded(self) -> UsageError:
        return self._wrong(self.at, "cells", "each region stands on a line of its own")

    def _wrong(self, line: int, key: str, problem: str) -> UsageError:
        what = f"{key}: {problem}" if key else problem
        remedy = f"correct {key or 'it'}; docs/expectations.md has every key"
        return UsageError(f"{self.name}, line {line}: {what}", remedy)


def _trimmed(lines: list[str]) -> tuple[str, ...]:
    """Comments without the empty lines before them; nothing if there are only empty lines."""
    kept = list(lines)
    while kept and not kept[0]:
        del kept[0]
    return tuple(kept)


def _comment_of(line: str) -> str:
    """The comment at the end of a line with a key, with its `#`."""
    for at in (at for at, sign in enumerate(line) if sign == "#"):
        bare = line[:at].rstrip()
        try:
            tomllib.loads(bare + "]" * bare.endswith("["))
        except tomllib.TOMLDecodeError:
            continue
        return line[at:].rstrip()
    return ""
