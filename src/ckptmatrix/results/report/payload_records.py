"""The records of the page's data, packed: arrays of numbers, whose fields stand here by name.

A grid of 180 environments has 32 400 cells for each scenario and way of loading, but few different
outcomes: so outcomes are listed once, and every text is a number in one list of texts. Outcomes
repeat each other in part (the same components, the same exception), so their parts are listed once
as well. A record is written as the array of its values; `packed_fields` says what they are, and
`data.js` reads them by that.
"""

from collections.abc import Hashable
from functools import cache
from typing import NamedTuple, NewType

from ckptmatrix.model import CellRecord, Difference, ErrorRecord, FirstDifference, Verdict
from ckptmatrix.results.findings.tally import WORST_FIRST
from ckptmatrix.util.terminal_text import plain

FRAMES = 1200
"""Characters kept of a traceback, its end; the whole is in `matrix.json`."""

Text = NewType("Text", int)
"""Number of a text."""

SharedPart = NewType("SharedPart", int)
"""Number of what outcomes have in common: a record, a list of records, or None."""


class PackedComponent(NamedTuple):
    """What became of one component."""

    name: Text
    verdict: Text


class PackedDifference(NamedTuple):
    """Where a component first differs."""

    name: Text
    where: Text
    saved: Text
    found: Text
    differing: int
    compared: int


class PackedError(NamedTuple):
    """An exception."""

    type: Text
    message: Text
    traceback: Text


class PackedFirst(NamedTuple):
    """The first difference in the training after the load."""

    step: int
    quantity: Text
    expected: Text
    found: Text


class PackedOutcome(NamedTuple):
    """What cells have in common that came out the same."""

    status: int
    """Index in `WORST_FIRST`."""
    cause: Text
    expected: bool | None
    change: Text
    """Since the baseline; empty for none."""
    components: SharedPart
    """List of `PackedComponent`."""
    differences: SharedPart
    """List of `PackedDifference`."""
    error: SharedPart
    """`PackedError`, or None."""
    swallowed: SharedPart
    """List of `PackedError`."""
    steps: int
    """Steps compared after the load; 0 if there were none."""
    first: SharedPart
    """`PackedFirst`, or None."""
    reason: Text
    expectation: Text
    measured: Text
    """In words, when."""


_RECORDS = {
    "component": PackedComponent,
    "difference": PackedDifference,
    "error": PackedError,
    "first": PackedFirst,
    "outcome": PackedOutcome,
}


def packed_fields() -> dict[str, dict[str, str]]:
    """Give kind of record -> name of a field -> `text`, `part` or `value`, in the arrays' order."""
    meanings = {Text: "text", SharedPart: "part"}
    return {
        kind: {name: meanings.get(type_, "value") for name, type_ in record.__annotations__.items()}
        for kind, record in _RECORDS.items()
    }


class Numbers:
    """Numbers for values: the same value has the same number."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}

    def of(self, value: Hashable) -> int:
        """Give the number of a value, a new one if it has none yet."""
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def values(self) -> list[Hashable]:
        """Every value, by its number."""
        return list(self._numbers)


class Packer:
    """Turns cells into numbers of outcomes."""

    def __init__(self) -> None:
        self.texts = Numbers()
        self.parts = Numbers()
        self.outcomes = Numbers()
        self._plain = cache(plain)
        self._text("")
        # Very many cells have few different parts.
        self._components = cache(self._pack_components)
        self._differences = cache(self._pack_differences)
        self._error = cache(self._pack_error)

    def outcome(self, cell: CellRecord, change: str, measured: str, note: str = "") -> int:
        """Give the number of a cell's outcome.

        Args:
            cell: the cell.
            change: what changed since the baseline; empty for nothing.
            measured: in words, when it was measured.
            note: what is to be said of its checkpoint's loads.
        """
        first = cell.resume.first_difference if cell.resume else None
        return self.outcomes.of(
            PackedOutcome(
                status=WORST_FIRST.index(cell.status),
                cause=self._text(cell.cause or ""),
                expected=cell.expected,
                change=self._text(change),
                components=self._components(tuple(cell.components.items())),
                differences=self._differences(tuple(cell.differences.items())),
                error=self._part(cell.error and self._error(cell.error)),
                swallowed=self._part(tuple(map(self._error, cell.swallowed))),
                steps=cell.resume.steps if cell.resume else 0,
                first=self._part(first and self._first(first)),
                reason=self._text(cell.reason or note),
                expectation=self._text(cell.expectation),
                measured=self._text(measured),
            )
        )

    def _text(self, text: str) -> Text:
        return Text(self.texts.of(self._plain(text)))

    def _part(self, part: Hashable) -> SharedPart:
        return SharedPart(self.parts.of(part))

    def _pack_components(self, components: tuple[tuple[str, Verdict], ...]) -> SharedPart:
        return self._part(
            tuple(PackedComponent(self._text(name), self._text(v)) for name, v in components)
        )

    def _pack_differences(self, differences: tuple[tuple[str, Difference], ...]) -> SharedPart:
        return self._part(
            tuple(
                PackedDifference(
                    self._text(name),
                    self._text(found.where),
                    self._text(found.saved),
                    self._text(found.found),
                    found.differing,
                    found.compared,
                )
                for name, found in differences
            )
        )

    def _pack_error(self, error: ErrorRecord) -> PackedError:
        return PackedError(
            self._text(error.type),
            self._text(error.message),
            self._text(error.traceback[-FRAMES:]),
        )

    def _first(self, first: FirstDifference) -> PackedFirst:
        return PackedFirst(
            first.step,
            self._text(first.quantity),
            self._text(first.expected),
            self._text(first.found),
        )
