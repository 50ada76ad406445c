"""Where cells are measured, and what is known of them is found again."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import TracebackType
from typing import Self

from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.measure import judge
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.keys import Keys
from ckptmatrix.measure.loading import Loading
from ckptmatrix.measure.outcome_store import Store
from ckptmatrix.measure.registry import Registry
from ckptmatrix.measure.remedies import remedies_of
from ckptmatrix.measure.sources import project_at
from ckptmatrix.model import Cell, CellRecord, Device, Environment, Fault, Status
from ckptmatrix.worker import words
from ckptmatrix.worker.protocol import Case


class Lab:
    """Measures cells; several labs in several processes may share one home.

    Args:
        site: where it is measured.
        installed: environments that are known to be there.
        remedies: the devices between which they are measured beside plain loads.
        prepared: every checkpoint was written just before, so what failed is not tried again.
    """

    def __init__(
        self,
        site: Site,
        installed: Mapping[Environment, Installation] | None = None,
        remedies: tuple[Device, ...] = (),
        prepared: bool = False,
    ) -> None:
        self.site = site
        self.registry = Registry(site, installed or {}, prepared)
        self.project = project_at(site.config.root)
        self.store = Store(site.home.outcomes, self.project)
        self._keys = Keys(self.registry)
        self._remedied = remedies

    def key(self, cell: Cell) -> str:
        """The key of a cell's outcome; empty if it cannot be measured."""
        return "" if self._unmeasurable(cell) else self._keys.of(cell)

    def unmeasured(self, cells: Iterable[Cell]) -> tuple[Cell, ...]:
        """One cell for each load that can be measured and whose outcome is not kept.

        Nor is that of a remedy that belongs to it.
        """
        first = {key: cell for cell in reversed(tuple(cells)) if (key := self.key(cell))}
        statuses = self.store.statuses()

        def settled(key: str, cell: Cell) -> bool:
            if key not in statuses:
                return False
            beside = self._beside(cell, statuses[key])
            return all(not key or key in statuses for key in map(self.key, beside))

        return tuple(reversed([cell for key, cell in first.items() if not settled(key, cell)]))

    def times(self, cells: Iterable[Cell]) -> dict[str, str]:
        """Key -> when it was measured, of each cell that has an outcome and of its remedies.

        Another one whenever any of them is measured again, and no other: several runs may share one
        store.
        """
        statuses, times = self.store.statuses(), self.store.times()
        found: dict[str, str] = {}
        for key, cell in {self.key(cell): cell for cell in cells}.items():
            if key in statuses:
                beside = self._beside(cell, statuses[key])
                found |= {one: times.get(one, "") for one in (key, *map(self.key, beside)) if one}
        return found

    def forget(self, cells: Iterable[Cell]) -> None:
        """Drop what is known of cells and their remedies, so that they are measured again."""
        every = [one for cell in cells for one in (cell, *self._remedies_known(cell))]
        self.store.forget(key for cell in every if (key := self.key(cell)))

    def outcomes(self, cell: Cell) -> tuple[CellRecord, ...]:
        """The outcomes of a cell and of its remedies: from the store, or measured now."""
        return self.outcome(cell), *map(self.outcome, self._remedies_known(cell))

    def outcome(self, cell: Cell) -> CellRecord:
        """The outcome of a cell: from the store, or measured now."""
        record = self.known(cell)
        if record is None:
            record, touched = self._measured(cell)
            self.store.put(self.key(cell), record, self.project.named(touched))
        return record

    def known(self, cell: Cell) -> CellRecord | None:
        """The outcome of a cell that cannot be measured, or is kept; None if it has to be."""
        return self._recall(cell, self.store.get)

    def recalled(self, cells: Iterable[Cell]) -> Iterator[tuple[Cell, CellRecord | None]]:
        """Every cell and its remedies, each with what is known of it.

        Cells whose loads were of the very same bytes share what was found out.
        """
        get = cache(self.store.get)
        for cell in cells:
            record = self._recall(cell, get)
            yield cell, record
            for remedy in self._remedies(cell, record):
                yield remedy, self._recall(remedy, get)

    def fault(self, cell: Cell) -> Fault | None:
        """Why there is no outcome of a cell, if that is no release's doing but its writer's."""
        built = self.registry.installed(cell.writer)
        return self.registry.written(cell.writer, cell.scenario).fault if built.ready else None

    def measured(self, cell: Cell) -> CellRecord:
        """The outcome of a cell, measured now."""
        return self._measured(cell)[0]

    def _measured(self, cell: Cell) -> tuple[CellRecord, Mapping[str, str]]:
        """The same, with the files that it hangs on."""
        known = self._unmeasurable(cell)
        return (known, {}) if known else self.loading(cell, self.registry.treated(cell)).measured()

    def loading(self, cell: Cell, written: Written) -> Loading:
        """A checkpoint in front of a cell's reader."""
        config = self.site.config
        case = Case(
            scenario=config.scenarios[cell.scenario],
            device=words.Device(self.site.device(cell.reader)),
            directory=str(written.directory),
            truth=str(written.truth),
            digest=written.digest,
            unsaved=written.record.unsaved,
            trace=written.trace,
            unreproduced=written.unreproduced,
        )
        return Loading(cell, self.registry.worker(cell.reader), case, config.loaders[cell.loader])

    def close(self) -> None:
        """End the workers."""
        self.registry.close()
        self.store.close()

    def _recall(self, cell: Cell, get: Callable[[str], CellRecord | None]) -> CellRecord | None:
        record = self._unmeasurable(cell) or get(self._keys.of(cell))
        # The same load may have been measured for another writer, or under other names.
        return record and replace(
            record,
            writer=cell.writer.id,
            scenario=cell.scenario,
            loader=cell.loader,
            treatment=cell.treatment,
        )

    def _remedies_known(self, cell: Cell) -> tuple[Cell, ...]:
        return self._remedies(cell, self.known(cell)) if self._remedied else ()

    def _remedies(self, cell: Cell, record: CellRecord | None) -> tuple[Cell, ...]:
        return self._beside(cell, record.status) if record else ()

    def _beside(self, cell: Cell, status: Status) -> tuple[Cell, ...]:
        """The remedies to measure beside a cell that came out so."""
        ends = {self.site.device(end) for end in (cell.writer, cell.reader)}
        return remedies_of(cell, status) if ends.issubset(self._remedied) else ()

    def _unmeasurable(self, cell: Cell) -> CellRecord | None:
        writer, reader = map(self.registry.installed, (cell.writer, cell.reader))
        written = self.registry.treated(cell) if writer.ready and reader.ready else None
        return judge.unmeasurable(cell, writer, reader, written)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
