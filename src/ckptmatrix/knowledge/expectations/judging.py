"""Cells judged by expectations: which region speaks for a cell, and whether it came out as said.

Regions are tried in the order of the file. The first that covers a cell speaks for it, alone: the
cell is expected if status, cause and message, or what is lost and what differs first, are exactly
what is written there. A cell that none covers is expected if it is exact. Of loads with a GPU at
either end nothing is unexpected until a region names that device there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from ckptmatrix.knowledge.expectations.expectation import ARROW, DEVICE, Expectation, ExpectedRegion
from ckptmatrix.model import MEASURED, CellRecord, Environment, Matrix, Problem, ProblemKind, Status


@dataclass(frozen=True)
class Expectations:
    """What `expectations.toml` says."""

    entries: tuple[Expectation, ...]
    """In the order of the file."""
    tier: str = "eras"
    """The tier that the file is written for: only in it can a region be stale."""

    @cached_property
    def regions(self) -> tuple[tuple[Expectation, ExpectedRegion], ...]:
        """Every region with its expectation, in the order in which they are tried."""
        return tuple((entry, region) for entry in self.entries for region in entry.cells)

    def speaks(self, cell: CellRecord, writer: Environment, reader: Environment) -> int | None:
        """Return the number of the region that speaks for a cell; None if none covers it."""
        return _first(self._covering(cell, writer, reader))

    def judged(
        self, cell: CellRecord, writer: Environment, reader: Environment, today: date
    ) -> CellRecord:
        """Return the cell with `expected` and `expectation` filled in; its cause must be known."""
        number = self.speaks(cell, writer, reader)
        return self._marked(cell, number, today, self._silent(writer, reader))

    def judged_all(self, matrix: Matrix, today: date) -> tuple[tuple[CellRecord, ...], set[int]]:
        """Return every cell as `judged` does, and the numbers of the regions that are stale.

        A region is stale if it covers measured cells, or speaks for none at all, and no cell came
        out as it says. One whose cells could not be measured cannot be known to be stale.
        """
        cells, matched, waiting, reached = [], set[int](), set[int](), 0
        for cell, writer, reader in with_ends(matrix):
            covering = self._covering(cell, writer, reader)
            number = _first(covering)
            marked = self._marked(cell, number, today, self._silent(writer, reader))
            cells.append(marked)
            if number is None:
                continue
            if marked.expected is None:
                waiting.add(number)
            else:
                reached |= covering
                if marked.expected:
                    matched.add(number)
        waiting = {number for number in waiting if not reached >> number & 1}
        return tuple(cells), set(range(len(self.regions))) - matched - waiting

    def _marked(
        self, cell: CellRecord, number: int | None, today: date, silent: bool
    ) -> CellRecord:
        if cell.status not in MEASURED:
            return cell
        if number is None:
            exact = cell.status == Status.EXACT
            return replace(cell, expected=exact or (None if silent else False))
        entry, region = self.regions[number]
        if entry.expired(today):
            return replace(cell, expected=False, expectation=f"expired: {entry.name(region)}")
        if entry.matches(cell, region):
            return replace(cell, expected=True, expectation=entry.why)
        return replace(cell, expected=False, expectation=f"expected: {entry.name(region)}")

    def _covering(self, cell: CellRecord, writer: Environment, reader: Environment) -> int:
        """The regions that cover a cell, one bit for each."""
        return (
            self._allowing("writer", writer.accelerate)
            & self._allowing("reader", reader.accelerate)
            & self._allowing("stacks", (writer.stack, reader.stack))
            & self._allowing("scenario", cell.scenario)
            & self._allowing("loader", cell.loader)
            & self._allowing("treatment", cell.treatment)
        )

    def _silent(self, writer: Environment, reader: Environment) -> bool:
        """Whether nothing is said of loads between their devices: then nothing is unexpected there.

        What holds on the CPU is not laid over a GPU: there is one more generator to lose.
        """
        devices = [end.stack.partition(DEVICE)[2] for end in (writer, reader)]
        return any(devices) and not any(
            [pattern.partition(DEVICE)[2] for pattern in pair.split(ARROW)] == devices
            for _, region in self.regions
            for pair in region.stacks
        )

    def _allowing(self, field: str, value: str | tuple[str, str]) -> int:
        """The regions that allow this value, one bit for each; a run has few values of a field."""
        key = (field, value)
        if key not in self._found:
            self._found[key] = sum(
                1 << number
                for number, (_, region) in enumerate(self.regions)
                if region.allows(field, value)
            )
        return self._found[key]

    @cached_property
    def _found(self) -> dict[tuple[str, str | tuple[str, str]], int]:
        return {}


def judged_by_expectations(
    matrix: Matrix, expectations: Expectations, whole_tier: str, today: date
) -> Matrix:
    """Return the matrix with every cell marked as expected or not, and what else makes it fail.

    Args:
        matrix: what was measured, with the causes found.
        expectations: what is known.
        whole_tier: name of the tier if all of it was run, else empty.
        today: expectations that expired before do not count.
    """
    cells, stale = expectations.judged_all(matrix, today)
    problems = [
        Problem(
            ProblemKind.EXPECTATION_EXPIRED,
            f"expectation expired on {entry.expires}: {entry.name(region)}",
        )
        for entry, region in expectations.regions
        if entry.expired(today)
    ]
    if whole_tier == expectations.tier:
        problems += [
            Problem(
                ProblemKind.EXPECTATION_STALE,
                f"expectation that nothing matches any more: {entry.name(region)}",
            )
            for number, (entry, region) in enumerate(expectations.regions)
            if number in stale and not entry.expired(today)
        ]
    return replace(matrix, cells=cells, problems=matrix.problems + tuple(problems))


def with_ends(matrix: Matrix) -> Iterator[tuple[CellRecord, Environment, Environment]]:
    """Yield every cell with the environments of its writer and its reader."""
    ends = {
        id_: Environment(record.accelerate, record.stack)
        for id_, record in matrix.environments.items()
    }
    return ((cell, ends[cell.writer], ends[cell.reader]) for cell in matrix.cells)


def _first(numbers: int) -> int | None:
    """The lowest bit that is set."""
    return (numbers & -numbers).bit_length() - 1 if numbers else None
