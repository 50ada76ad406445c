"""Cells as pytest items: what a `Grid` in a test module is collected into."""

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.environments.device import find_device
from ckptmatrix.environments.index import released
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.knowledge.causes import cause_of
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.expectations import Expectations, read_expectations
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import MEASURED, Cell, CellRecord, summary
from ckptmatrix.plan.config import Config, read_config
from ckptmatrix.plan.planning import Plan, make_plan, needs_index
from ckptmatrix.plan.selection import NARROWINGS, Selection, split_names


def selection(config: pytest.Config) -> Selection:
    """What the options select."""
    remedies = config.getoption("--matrix-remedies")
    given = {one.option: _given(config, one.option) for one in NARROWINGS}
    chosen = None if remedies is None else remedies == "yes"
    return Selection.of(config.getoption("--matrix-tier"), given, chosen)


def _given(config: pytest.Config, option: str) -> tuple[str, ...]:
    value = config.getoption(f"--matrix-{option}")
    return (value,) if value else ()


def _between(plan: Plan, config: pytest.Config) -> Plan:
    """The cells between the writers and the readers that the options name."""
    writers, readers = (split_names(_given(config, end)) for end in ("writer", "reader"))
    cells = tuple(
        cell
        for cell in plan.cells
        if (writers is None or cell.writer.short in writers)
        and (readers is None or cell.reader.short in readers)
    )
    return plan if len(cells) == len(plan.cells) else plan.narrowed(cells)


class GridCollector(pytest.Collector):
    """Collects the cells of a plan; builds nothing."""

    def __init__(self, *, declared: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.declared = declared

    def collect(self) -> Iterable["CellItem"]:
        """One item for each cell, reader by reader."""
        config = read_config(self.config.rootpath / self.declared)
        chosen = selection(self.config)
        index = released("accelerate") if needs_index(config, chosen) else ()
        plan = _between(make_plan(config, chosen, index), self.config)
        bench = _bench(self.config, config, plan)
        cells: Iterable[Cell] = plan.cells
        if self.config.getoption("--matrix-unmeasured"):
            cells = bench.lab.unmeasured(plan.cells)
        for cell in cells:
            yield CellItem.from_parent(self, name=cell.id, cell=cell, bench=bench)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A wrong `matrix.toml` or option in its own words, without the frames of this plugin."""
        if isinstance(excinfo.value, CkptmatrixError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)


@dataclass(frozen=True)
class _Bench:
    """What all items of a session share."""

    lab: Lab
    """Where cells are measured."""
    expectations: Expectations
    """What is known."""


_BENCH = pytest.StashKey[_Bench]()


def _bench(pytest_config: pytest.Config, config: Config, plan: Plan) -> _Bench:
    if _BENCH not in pytest_config.stash:
        device = find_device(pytest_config.getoption("--matrix-device"))
        site = Site.of(config, device)
        lab = Lab(site, writers_elsewhere(plan, site), plan.remedies)
        expectations = read_expectations(config.root / "expectations.toml")
        pytest_config.stash[_BENCH] = _Bench(lab, expectations)
        pytest_config.add_cleanup(lab.close)
    return pytest_config.stash[_BENCH]


HARNESS_FAILURE = "ckptmatrix-harness-failure"
"""Property of an item without an outcome, for no fault of the cell's; its value says why."""


class UnexpectedOutcomeError(Exception):
    """A cell came out otherwise than is known."""


class CellItem(pytest.Item):
    """One cell: passes if its outcome is as expected, is skipped where nothing can be measured."""

    def __init__(self, *, cell: Cell, bench: _Bench, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.cell = cell
        self.bench = bench

    def runtest(self) -> None:
        """Measure the cell and its remedies, or find them measured.

        Raises:
            UnexpectedOutcomeError: it came out otherwise than is known.
        """
        try:
            records = self.bench.lab.outcomes(self.cell)
            today = datetime.now(UTC).date()
            writer, reader = self.cell.writer, self.cell.reader
            judged = [
                self.bench.expectations.judged(self._explained(record), writer, reader, today)
                for record in records
            ]
        except Exception as error:
            self.user_properties.append((HARNESS_FAILURE, _in_words(error)))
            raise
        if records[0].status not in MEASURED:
            pytest.skip(f"{records[0].status}: {records[0].reason}")
        unexpected = [describe(record) for record in judged if record.expected is False]
        if unexpected:
            raise UnexpectedOutcomeError("\n\n".join(unexpected))

    def _explained(self, record: CellRecord) -> CellRecord:
        """The outcome of the cell, or of a remedy beside it, with its cause."""
        registry, cell = self.bench.lab.registry, self.cell
        writer, reader = (registry.installed(end).record for end in (cell.writer, cell.reader))
        checkpoint = registry.written(cell.writer, cell.scenario).record
        return replace(record, cause=cause_of(Evidence(record, writer, reader, checkpoint)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """What a person needs to know, without the frames of this plugin."""
        if isinstance(excinfo.value, UnexpectedOutcomeError):
            return str(excinfo.value)
        return f"ckptmatrix failed: {_in_words(excinfo.value)}"

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the item is from, and what it is called in a report."""
        return self.path, None, self.cell.id


def _in_words(error: BaseException) -> str:
    """The message, and for what nobody foresaw the frames."""
    if isinstance(error, CkptmatrixError):
        return str(error)
    return "".join(traceback.format_exception(error))


def describe(record: CellRecord) -> str:
    """An unexpected outcome in a few lines."""
    lines = [f"by {record.loader}, {record.treatment}: {record.status}: {summary(record)}"]
    if record.expectation:
        lines.append(record.expectation)
    lines += [
        f"  {name}: {gap.where} was saved as {gap.saved}, found {gap.found}"
        for name, gap in record.differences.items()
    ]
    if record.error and record.error.traceback:
        lines.append(record.error.traceback)
    return "\n".join(lines)


def cells_of(items: Iterable[pytest.Item]) -> Iterator[Cell]:
    """The cells among collected items."""
    return (item.cell for item in items if isinstance(item, CellItem))
