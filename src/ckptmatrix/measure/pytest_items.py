"""Cells as pytest items: what a `Grid` in a test module is collected into."""

import os
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ckptmatrix.environments.device import Machine, find_machine
from ckptmatrix.environments.index import released
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import CkptmatrixError, machine_errors
from ckptmatrix.knowledge.causes import CauseId, cause_of, known_causes
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.expectations import (
    Expectations,
    expectations_file,
    read_expectations,
)
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.faults import HarnessError, fault_of_host
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import MEASURED, Cell, CellRecord, summary
from ckptmatrix.plan.config import Config, read_config
from ckptmatrix.plan.narrowings import NARROWINGS
from ckptmatrix.plan.planning import Plan, make_plan, needs_index
from ckptmatrix.plan.selection import Selection, split_names
from ckptmatrix.worker.orphans import end_with

_MACHINE = pytest.StashKey[Machine]()


def _machine(config: pytest.Config) -> Machine:
    """Where to measure; the driver is asked once."""
    if _MACHINE not in config.stash:
        config.stash[_MACHINE] = find_machine(config.getoption("--matrix-device"))
    return config.stash[_MACHINE]


def selection(config: pytest.Config, declared: Config) -> Selection:
    """What the options select of what is declared."""
    remedies = config.getoption("--matrix-remedies")
    given = {one.option: _given(config, one.option) for one in NARROWINGS}
    chosen = None if remedies is None else remedies == "yes"
    devices = _machine(config).devices
    tier = config.getoption("--matrix-tier") or declared.default_tier(quick=True)
    return Selection.of(tier, given, chosen, devices)


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
        root = self.config.rootpath
        config = read_config(
            root / (self.config.getoption("--matrix-config") or self.declared), root
        )
        chosen = selection(self.config, config)
        index = released("accelerate") if needs_index(config, chosen) else ()
        plan = _between(make_plan(config, chosen, index), self.config)
        bench = _bench(self.config, config, chosen.tier, plan)
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


def _bench(pytest_config: pytest.Config, config: Config, tier: str, plan: Plan) -> _Bench:
    if _BENCH not in pytest_config.stash:
        if hasattr(pytest_config, "workerinput"):  # one of xdist's: it ends with the run
            end_with(os.getppid())
        site = Site.of(config, _machine(pytest_config).gpus)
        prepared = bool(pytest_config.getoption("--matrix-unmeasured"))
        lab = Lab(site, writers_elsewhere(plan, site), plan.remedies, prepared)
        expectations = read_expectations(expectations_file(config.root, tier))
        pytest_config.stash[_BENCH] = _Bench(lab, expectations)
        pytest_config.add_cleanup(lab.close)
    return pytest_config.stash[_BENCH]


HARNESS_FAILURE = "ckptmatrix-harness-failure"
"""Property of an item without an outcome, for no fault of the cell's; its value is a `Fault`."""


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
            fault = self.bench.lab.fault(self.cell)
            if fault:
                raise HarnessError.of(fault)
            with machine_errors():
                records = self.bench.lab.outcomes(self.cell)
            today = datetime.now(UTC).date()
            writer, reader = self.cell.writer, self.cell.reader
            judged = [
                self.bench.expectations.judged(self._explained(record), writer, reader, today)
                for record in records
            ]
        except Exception as error:
            fault = fault_of_host(error, self.cell.scenario, self.cell.reader.id)
            self.user_properties.append((HARNESS_FAILURE, msgspec.json.encode(fault).decode()))
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
        return self.path, None, heading(self.cell)


def heading(cell: Cell) -> str:
    """What an item is called in a report; cell ids are asked for by it.

    It is not the end of the item's node id: pytest would take that for a Python name and show its
    versions as `1::15::0`.
    """
    return f"cell {cell.id}"


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
    known = known_causes().get(CauseId(record.cause)) if record.cause else None
    if known:
        lines += [f"cause: {known.cause.title}", f"remedy: {known.cause.remedy}"]
    else:
        lines.append("cause: none that is known; if it is right so, write an expectation for it")
    lines += [
        f"  {': '.join(filter(None, (name, gap.where)))} was saved as {gap.saved}, "
        f"found {gap.found}"
        for name, gap in record.differences.items()
    ]
    if record.error and record.error.traceback:
        lines.append(record.error.traceback)
    return "\n".join(lines)


def cells_of(items: Iterable[pytest.Item]) -> Iterator[Cell]:
    """The cells among collected items."""
    return (item.cell for item in items if isinstance(item, CellItem))
