"""Cells in columns: a run has very many cells and few different outcomes, so each is held once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple, overload

from ckptmatrix.model.outcome import CellRecord
from ckptmatrix.model.words import Treatment


class Place(NamedTuple):
    """Which cell of the grid it is."""

    writer: str
    """Id of the writing environment."""
    reader: str
    """Id of the reading environment."""
    scenario: str
    """Name of the scenario."""
    loader: str
    """Name of the loader."""
    treatment: Treatment
    """What was done to the checkpoint before the load."""


_OF_ONE_CELL = frozenset({*Place._fields, "seconds", "measured"})
"""Fields of a cell that are no part of its outcome."""

OUTCOME_FIELDS = tuple(f.name for f in fields(CellRecord) if f.name not in _OF_ONE_CELL)
"""Fields of a cell that cells have in common which came out the same."""


@dataclass(frozen=True)
class Columns:
    """One entry for each cell in every column; all but the last are indices."""

    writer: list[int]
    """In `CellTable.environments`."""
    reader: list[int]
    """In `CellTable.environments`."""
    scenario: list[int]
    """In `CellTable.scenarios`."""
    way: list[int]
    """In `CellTable.ways`."""
    outcome: list[int]
    """In `CellTable.outcomes`."""
    measured: list[int]
    """In `CellTable.times`."""
    milliseconds: list[int]
    """How long it took, wall-clock."""


@dataclass(frozen=True, eq=False)
class CellTable(Sequence[CellRecord]):
    """A sequence of cells that is kept in columns; records are made when they are asked for."""

    environments: tuple[str, ...]
    """Ids of writers and readers."""
    scenarios: tuple[str, ...]
    """Names of the scenarios that cells have."""
    ways: tuple[tuple[str, Treatment], ...]
    """Pairs of loader and treatment."""
    outcomes: tuple[dict[str, Any], ...]
    """Distinct outcomes: each the values of `OUTCOME_FIELDS`. Cells share what is in them."""
    times: tuple[str, ...]
    """When cells were measured."""
    columns: Columns
    """Which cell has which of these."""

    @classmethod
    def of(cls, cells: Sequence[CellRecord]) -> "CellTable":
        """Put cells into columns; those of a table are taken as they are."""
        if isinstance(cells, cls):
            return cells
        number = {name: _Numbers() for name in ("ends", "scenario", "way", "outcome", "time")}
        columns = Columns([], [], [], [], [], [], [])
        outcomes: list[dict[str, Any]] = []
        for cell in cells:
            columns.writer.append(number["ends"].of(cell.writer))
            columns.reader.append(number["ends"].of(cell.reader))
            columns.scenario.append(number["scenario"].of(cell.scenario))
            columns.way.append(number["way"].of((cell.loader, cell.treatment)))
            values = {name: getattr(cell, name) for name in OUTCOME_FIELDS}
            columns.outcome.append(number["outcome"].of(tuple(map(_hashable, values.values()))))
            if len(number["outcome"].values) > len(outcomes):
                outcomes.append(values)
            columns.measured.append(number["time"].of(cell.measured))
            columns.milliseconds.append(round(cell.seconds * 1000))
        return cls(
            tuple(number["ends"].values),
            tuple(number["scenario"].values),
            tuple(number["way"].values),
            tuple(outcomes),
            tuple(number["time"].values),
            columns,
        )

    def places(self) -> Iterator[Place]:
        """Name every cell without making its record."""
        columns = self.columns
        for writer, reader, scenario, way in zip(
            columns.writer, columns.reader, columns.scenario, columns.way, strict=True
        ):
            loader, treatment = self.ways[way]
            ends = self.environments[writer], self.environments[reader]
            yield Place(*ends, self.scenarios[scenario], loader, treatment)

    def twice(self) -> Place | None:
        """A cell that is there more than once; None if there is none."""
        columns = self.columns
        ends = (columns.writer, columns.reader, columns.scenario, columns.way)
        if len(set(zip(*ends, strict=True))) == len(self):
            return None
        ((place, _),) = Counter(self.places()).most_common(1)
        return place

    def __len__(self) -> int:
        return len(self.columns.outcome)

    def __iter__(self) -> Iterator[CellRecord]:
        return iter(self._records)

    @overload
    def __getitem__(self, index: int) -> CellRecord: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[CellRecord, ...]: ...
    def __getitem__(self, index: int | slice) -> CellRecord | tuple[CellRecord, ...]:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        return self._record(index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as a dict has none: outcomes hold such

    @cached_property
    def _records(self) -> tuple[CellRecord, ...]:
        return tuple(map(self._record, range(len(self))))

    def _record(self, index: int) -> CellRecord:
        columns = self.columns
        loader, treatment = self.ways[columns.way[index]]
        return CellRecord(
            self.environments[columns.writer[index]],
            self.environments[columns.reader[index]],
            self.scenarios[columns.scenario[index]],
            loader,
            treatment,
            seconds=columns.milliseconds[index] / 1000,
            measured=self.times[columns.measured[index]],
            **self.outcomes[columns.outcome[index]],
        )


def places_of(cells: Sequence[CellRecord]) -> Iterable[Place]:
    """Name every cell; of a table without making its records."""
    if isinstance(cells, CellTable):
        return cells.places()
    return (Place(c.writer, c.reader, c.scenario, c.loader, c.treatment) for c in cells)


def scenarios_in(cells: Sequence[CellRecord]) -> tuple[str, ...]:
    """Name the scenarios of cells, in the order in which they come."""
    if isinstance(cells, CellTable):
        return cells.scenarios
    return tuple(dict.fromkeys(cell.scenario for cell in cells))


def ways_in(cells: Sequence[CellRecord]) -> tuple[tuple[str, Treatment], ...]:
    """List the pairs of loader and treatment of cells, in the order in which they come."""
    if isinstance(cells, CellTable):
        return cells.ways
    return tuple(dict.fromkeys((cell.loader, cell.treatment) for cell in cells))


class _Numbers:
    """Numbers for values: the same value has the same number."""

    def __init__(self) -> None:
        self.values: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        return self.values.setdefault(value, len(self.values))


def _hashable(value: object) -> object:
    return tuple(value.items()) if isinstance(value, dict) else value
