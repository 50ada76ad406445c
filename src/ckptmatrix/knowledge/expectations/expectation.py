"""An expectation and its regions: the values that `expectations.toml` holds, and what they mean."""

import re
from collections.abc import Iterable
from datetime import date
from fnmatch import fnmatchcase
from functools import cached_property

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ckptmatrix.knowledge.causes import CauseId, known_causes
from ckptmatrix.model import MEASURED, CellRecord, Status, Verdict, summary
from ckptmatrix.util.did_you_mean import did_you_mean

ARROW = " -> "
"""Stands in `stacks` between the pattern of the writer's stack and that of the reader's."""

DEVICE = "+"
"""Stands before the device in the label, and the pattern, of a stack that is not on the CPU."""

GENERATORS = ("rng.python", "rng.numpy", "rng.torch")
"""What the word `rng` stands for in a region; `rng@1` stands for those of process 1."""

NOT_BACK = (Verdict.LOST, Verdict.WRONG, Verdict.UNSAVED)
"""The verdicts that a region names; every component that it does not name is restored or absent."""

RAISED = (Status.FAILED, Status.CRASHED, Status.TIMEOUT)
"""The statuses that come with a message."""


class ExpectedRegion(msgspec.Struct, forbid_unknown_fields=True, frozen=True, dict=True):
    """Cells, and what is lost in each of them: one line of the file."""

    writer: str = ""
    """Specifier over the writer's accelerate, such as `<0.25`; empty for all."""
    reader: str = ""
    """Specifier over the reader's accelerate."""
    stacks: tuple[str, ...] = ("*" + ARROW + "*",)
    """Pairs of patterns of stacks, such as `*-np1 -> *-np2` or `*+cuda -> *`, one of which must
    match. A pattern without a device is one of stacks on the CPU."""
    scenario: tuple[str, ...] = ("*",)
    """Patterns of scenario names, one of which must match; one with `!` before it must not."""
    loader: tuple[str, ...] = ("accelerate",)
    """Patterns of loader names."""
    treatment: tuple[str, ...] = ("as-saved",)
    """Patterns of treatment names."""
    lost: tuple[str, ...] = ()
    """All components that are lost."""
    wrong: tuple[str, ...] = ()
    """All components that are wrong."""
    unsaved: tuple[str, ...] = ()
    """All components that were not saved."""
    differs: str = ""
    """What differs first in the training that follows; empty if nothing does."""

    @cached_property
    def verdicts(self) -> frozenset[tuple[Verdict, str]]:
        """Every component that is neither restored nor absent, with its verdict."""
        return frozenset(
            (verdict, component)
            for verdict in NOT_BACK
            for name in getattr(self, verdict)
            for component in components_of(name)
        )

    def allows(self, field: str, value: str | tuple[str, str]) -> bool:
        """Whether a cell can lie in the region that has this value of a field.

        Args:
            field: `writer`, `reader`, `stacks`, `scenario`, `loader` or `treatment`.
            value: a release, a name, or for `stacks` the writer's stack and the reader's.
        """
        allowed = getattr(self, field)
        if isinstance(value, tuple):
            pairs = (pair.split(ARROW) for pair in allowed)
            return any(_takes(w, value[0]) and _takes(r, value[1]) for w, r in pairs)
        if isinstance(allowed, str):
            return not allowed or SpecifierSet(allowed).contains(value, prereleases=True)
        return matches_patterns(value, allowed)

    def where(self) -> str:
        """Return the region in words, for messages."""
        parts = (
            f"writer {self.writer or 'any'}",
            f"reader {self.reader or 'any'}",
            f"on {', '.join(self.stacks)}",
            f"scenario {', '.join(self.scenario)}",
            f"loader {', '.join(self.loader)}",
            f"treatment {', '.join(self.treatment)}",
        )
        return "; ".join(part for part in parts if not part.endswith((" any", " *", " * -> *")))

    def outcome(self) -> str:
        """Return what is lost in words, as a cell's summary has it."""
        parts = [f"{one} {', '.join(names)}" for one in NOT_BACK if (names := getattr(self, one))]
        return "; ".join(parts + [f"training differs in {self.differs}"] * bool(self.differs))

    def problem(self) -> tuple[str, str] | None:
        """Return the key that cannot be meant and why; None if all can."""
        for key, specifier in (("writer", self.writer), ("reader", self.reader)):
            try:
                SpecifierSet(specifier)
            except InvalidSpecifier as error:
                return key, str(error)
        for pair in self.stacks:
            if pair.count(ARROW) != 1:
                return "stacks", f"'{pair}' is not WRITER{ARROW}READER"
        return None


class Expectation(msgspec.Struct, forbid_unknown_fields=True, frozen=True, dict=True):
    """A known outcome: a cause, how it shows, and the regions in which it does."""

    status: str
    """The status word."""
    cells: tuple[ExpectedRegion, ...] = ()
    """The regions, in the order in which they are tried."""
    cause: str = ""
    """Id of the cause; empty if none is known, and then a cell must have none."""
    message: str = ""
    """For what raised: regular expression found in the cell's one-line summary."""
    reason: str = ""
    """Why it comes out so, if there is more to say than the cause's title, or no cause."""
    link: str = ""
    """Upstream issue, pull request or line, if it is not the cause's."""
    expires: date | None = None
    """After this day it no longer counts, and says so."""

    @cached_property
    def why(self) -> str:
        """The reason: its own, or the cause's title."""
        return self.reason or known_causes()[CauseId(self.cause)].cause.title

    @cached_property
    def source(self) -> str:
        """The link: its own, or the cause's first."""
        if self.link:
            return self.link
        links = known_causes()[CauseId(self.cause)].cause.links
        return links[0] if links else f"docs/causes.md#{self.cause}"

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.message)

    def is_about(self, cell: CellRecord) -> bool:
        """Whether status, cause and message of a cell are what it says."""
        if cell.status != self.status or (cell.cause or "") != self.cause:
            return False
        if cell.error is None:
            return not self.message
        return bool(self.message and self._pattern.search(summary(cell)))

    def matches(self, cell: CellRecord, region: ExpectedRegion) -> bool:
        """Whether a cell came out as it says of one of its regions."""
        return self.is_about(cell) and (
            self.status != Status.DEGRADED
            or (verdicts_of(cell) == region.verdicts and first_difference(cell) == region.differs)
        )

    def expired(self, today: date) -> bool:
        """Whether it no longer counts."""
        return self.expires is not None and self.expires < today

    def name(self, region: ExpectedRegion) -> str:
        """Return what it expects and where, for messages."""
        said = filter(None, (self.cause, self.status, self.message, region.outcome()))
        return f"{'; '.join(said)} ({region.where() or 'everywhere'})"

    def problem(self) -> tuple[str, str] | None:
        """Return the key that cannot be meant and why; None if all can."""
        if self.status not in MEASURED:
            return "status", f"'{self.status}' is none of {', '.join(MEASURED)}"
        if self.cause and self.cause not in known_causes():
            meant = did_you_mean(self.cause, known_causes()).strip()
            told = (f"'{self.cause}' is no known cause", meant)
            return "cause", "; ".join(filter(None, told))
        if not self.cause and not (self.reason and self.link):
            return "cause", "without one, a reason and a link are needed"
        if (self.status in RAISED) != bool(self.message):
            needed = "is needed" if self.status in RAISED else "cannot be"
            return "message", f"one {needed} where the status is {self.status}"
        try:
            re.compile(self.message)
        except re.error as error:
            return "message", f"it is no regular expression: {error}"
        if not self.cells:
            return "cells", "at least one region is needed"
        for region in self.cells:
            bad = region.lost or region.wrong or region.differs
            if self.status == Status.DEGRADED and not bad:
                return "cells", f"nothing is lost, is wrong or differs: {region.where()}"
            if self.status != Status.DEGRADED and (bad or region.unsaved):
                return "cells", f"what is lost can be said of {Status.DEGRADED} cells only"
        return None


def _takes(pattern: str, stack: str) -> bool:
    """Whether a pattern takes a stack: one without a device takes none on a GPU."""
    ends = zip(pattern.partition(DEVICE), stack.partition(DEVICE), strict=True)
    return all(fnmatchcase(one, wanted) for wanted, one in ends)


def verdicts_of(cell: CellRecord) -> frozenset[tuple[Verdict, str]]:
    """Return every component of a cell that is neither restored nor absent, with its verdict."""
    found = cell.components.items()
    return frozenset((verdict, name) for name, verdict in found if verdict in NOT_BACK)


def first_difference(cell: CellRecord) -> str:
    """Return what differs first in the training that follows; empty if nothing does."""
    found = cell.resume and cell.resume.first_difference
    return found.quantity if found else ""


def components_of(name: str) -> tuple[str, ...]:
    """Return the components that a name in a region stands for."""
    word, at, rank = name.partition("@")
    return tuple(f"{one}{at}{rank}" for one in GENERATORS) if word == "rng" else (name,)


def matches_patterns(name: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns matches, and none of those that begin with `!`.

    Where all begin with `!`, everything that none of them matches is taken.
    """
    without = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    taken = [pattern for pattern in patterns if not pattern.startswith("!")] or ["*"]
    return any(fnmatchcase(name, one) for one in taken) and not any(
        fnmatchcase(name, one) for one in without
    )
