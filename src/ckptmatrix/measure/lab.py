"""Where cells are measured: environments, checkpoints, readers, each made when first asked for."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from filelock import FileLock

from ckptmatrix.environments import building
from ckptmatrix.environments.bundle import core_digest, source_digest
from ckptmatrix.environments.installation import Built
from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.measure import checkpoints, judge
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.loading import Loading
from ckptmatrix.measure.outcome_store import Store
from ckptmatrix.measure.treatments import treated
from ckptmatrix.model import MEASURED, Cell, CellRecord, ControlRecord, Environment, Status
from ckptmatrix.plan.config import Config
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home, digest
from ckptmatrix.worker.protocol import Case
from ckptmatrix.worker.words import Device

_SAMPLE = 20
"""One in so many scenarios of a reader has the remedies measured where loads are exact as well."""

_OPEN_WORKERS = 2
"""Workers kept alive at a time: the reader whose cells are measured now, and a writer."""


class Lab:
    """Measures cells; several labs in several processes may share one home.

    Args:
        config: the declared matrix.
        home: where environments, checkpoints and outcomes lie.
        device: `cpu` or `cuda`.
        built: environments that are known to be there.
        remedies: whether they are measured beside plain loads.
    """

    def __init__(
        self,
        config: Config,
        home: Home,
        device: str,
        built: dict[Environment, Built] | None = None,
        remedies: bool = False,
    ) -> None:
        self.config = config
        self.home = home
        self.device = device
        self.with_remedies = remedies
        self.store = Store(home.outcomes)
        self._built = dict(built or {})
        self._written: dict[tuple[Environment, str], Written] = {}
        self._treated: dict[tuple[Environment, str, str], Written] = {}
        self._workers: OrderedDict[Environment, Worker] = OrderedDict()
        self._digest_of = cache(lambda source: source_digest(source, config.root))
        self._key_of = cache(self._keyed)

    def built(self, environment: Environment) -> Built:
        """The environment, built if need be."""
        if environment not in self._built:
            stack = self.config.stacks[environment.stack]
            self._built[environment] = building.build(environment, stack, self.home, self.device)
        return self._built[environment]

    def written(self, environment: Environment, scenario: str) -> Written:
        """The checkpoint, written if need be."""
        place = (environment, scenario)
        if place not in self._written:
            built = self.built(environment)
            arguments = (self.config, self.home, built, scenario, self.device)
            with self._lock(f"{environment.id}-{scenario}"):
                self._written[place] = checkpoints.find_written(*arguments) or checkpoints.write(
                    *arguments, self.worker(environment)
                )
        return self._written[place]

    def treated(self, cell: Cell) -> Written:
        """The checkpoint that a cell loads, treated if need be."""
        place = (cell.writer, cell.scenario, str(cell.treatment))
        if place not in self._treated:
            written = self.written(cell.writer, cell.scenario)
            self._treated[place] = treated(written, cell.treatment, self.home)
        return self._treated[place]

    def worker(self, environment: Environment) -> Worker:
        """A worker in this environment; the one unused longest is ended for it."""
        if environment not in self._workers:
            while len(self._workers) >= _OPEN_WORKERS:
                self._workers.popitem(last=False)[1].close()
            self._workers[environment] = self.built(environment).start(
                self.home, self.device, (self.config.root,)
            )
        self._workers.move_to_end(environment)
        return self._workers[environment]

    def key(self, cell: Cell) -> str:
        """Digest of everything that the outcome of a cell depends on; empty if it is foregone.

        The checkpoint counts by its content: a load of the very same bytes by the same reader is
        measured once, whichever releases wrote them, repaired or not.
        """
        return "" if self._foregone(cell) else self._key(cell)

    def _key(self, cell: Cell) -> str:
        content, reader = self.treated(cell).content, self.built(cell.reader)
        return self._key_of(content, reader.frozen, cell.scenario, cell.loader)

    def _keyed(self, content: str, reader: str, scenario: str, loader: str) -> str:
        return digest(
            content,
            reader,
            self.device,
            core_digest(),
            self._digest_of(self.config.scenarios[scenario]),
            self._digest_of(self.config.loaders[loader]),
        )

    def unmeasured(self, cells: Iterable[Cell]) -> tuple[Cell, ...]:
        """One cell for each load that can be measured and whose outcome is not kept.

        Nor is that of a remedy that belongs to it.
        """
        first = {key: cell for cell in reversed(tuple(cells)) if (key := self.key(cell))}
        statuses = self.store.statuses()

        def settled(key: str, cell: Cell) -> bool:
            status = statuses.get(key)
            remedies = map(self.key, self._helping(cell, status))
            return status is not None and all(not key or key in statuses for key in remedies)

        return tuple(reversed([cell for key, cell in first.items() if not settled(key, cell)]))

    def remedies(self, cell: Cell) -> tuple[Cell, ...]:
        """The remedies to measure beside a cell that was measured.

        Those of a load that is not exact, and of a sample of the rest, to see that none harms.
        """
        record = self.known(cell) if self.with_remedies else None
        return self._helping(cell, record.status if record else None)

    def _helping(self, cell: Cell, status: str | None) -> tuple[Cell, ...]:
        if not self.with_remedies or status not in MEASURED:
            return ()
        if status == Status.EXACT and not self._sampled(cell):
            return ()
        return cell.remedies

    def _sampled(self, cell: Cell) -> bool:
        # Not by the content, which differs in last bits from one kind of processor to another:
        # expectations are to hold on both.
        return int(digest(cell.reader.id, cell.scenario)[:8], 16) % _SAMPLE == 0

    def forget(self, cells: Iterable[Cell]) -> None:
        """Drop what is known of cells and their remedies, so that they are measured again."""
        every = [one for cell in cells for one in (cell, *self.remedies(cell))]
        self.store.forget(key for cell in every if (key := self.key(cell)))

    def controls(self, cells: Iterable[Cell]) -> tuple[ControlRecord, ...] | None:
        """The controls of the run that measured these very cells; None if there was none."""
        try:
            kept = self._controls(cells).read_bytes()
        except FileNotFoundError:
            return None
        return msgspec.json.decode(kept, type=tuple[ControlRecord, ...])

    def keep_controls(self, cells: Iterable[Cell], controls: tuple[ControlRecord, ...]) -> None:
        """Keep the controls of a run that measured these cells."""
        write_atomically(self._controls(cells), msgspec.json.encode(controls))

    def _controls(self, cells: Iterable[Cell]) -> Path:
        return self.home.root / "controls" / f"{digest(sorted(map(self.key, cells)))[:16]}.json"

    def outcomes(self, cell: Cell) -> tuple[CellRecord, ...]:
        """The outcomes of a cell and of its remedies: from the store, or measured now."""
        return self.outcome(cell), *map(self.outcome, self.remedies(cell))

    def outcome(self, cell: Cell) -> CellRecord:
        """The outcome of a cell: from the store, or measured now."""
        record = self.known(cell)
        if record is None:
            record = self.measured(cell)
            self.store.put(self.key(cell), record)
        return record

    def known(self, cell: Cell) -> CellRecord | None:
        """The outcome of a cell if it is foregone or kept; None if it has to be measured."""
        decided = self._foregone(cell)
        return decided or self._kept(cell, self.store.get(self._key(cell)))

    def recalled(self, cells: Iterable[Cell]) -> Iterator[tuple[Cell, CellRecord | None]]:
        """Every cell and its remedies, each with what is known of it.

        Cells whose loads were of the very same bytes share what was found out.
        """
        get = cache(self.store.get)

        def recall(cell: Cell) -> CellRecord | None:
            return self._foregone(cell) or self._kept(cell, get(self._key(cell)))

        for cell in cells:
            record = recall(cell)
            yield cell, record
            for remedy in self._helping(cell, record.status if record else None):
                yield remedy, recall(remedy)

    def _kept(self, cell: Cell, record: CellRecord | None) -> CellRecord | None:
        return record and replace(record, writer=cell.writer.id, treatment=str(cell.treatment))

    def measured(self, cell: Cell) -> CellRecord:
        """The outcome of a cell, measured now."""
        decided = self._foregone(cell)
        if decided:
            return decided
        return self.loading(cell, self.treated(cell)).outcome()

    def _foregone(self, cell: Cell) -> CellRecord | None:
        writer, reader = self.built(cell.writer), self.built(cell.reader)
        ready = writer.ready and reader.ready
        written = self.treated(cell) if ready else None
        return judge.foregone(cell, writer, reader, written)

    def loading(self, cell: Cell, written: Written) -> Loading:
        """A checkpoint in front of a cell's reader."""
        case = Case(
            scenario=self.config.scenarios[cell.scenario],
            device=Device(self.device),
            directory=str(written.directory),
            truth=str(written.truth),
            digest=written.digest,
            unsaved=written.record.unsaved,
        )
        return Loading(cell, self.worker(cell.reader), case, self.config.loaders[cell.loader])

    def _lock(self, name: str) -> FileLock:
        folder: Path = self.home.root / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / f"{name}.lock")

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
