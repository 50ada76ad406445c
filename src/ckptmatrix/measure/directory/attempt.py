"""A directory made ready to be loaded: its copy, its truth, its stand-in; and one load of it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from ckptmatrix.checkpoint.inspect.console import human
from ckptmatrix.checkpoint.inspect.inspection import Inspection, inspect
from ckptmatrix.checkpoint.repair import RepairOptions, repair
from ckptmatrix.environments.installation import Built
from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.errors import CkptmatrixError, NothingRanError
from ckptmatrix.measure import judge
from ckptmatrix.measure.directory.copying import check_room, copy, snapshot, wanted
from ckptmatrix.measure.directory.notes import notes_of
from ckptmatrix.measure.directory.refusals import refuse
from ckptmatrix.measure.directory.stand_in import describe, hooked_files
from ckptmatrix.measure.directory.truth import read_truth
from ckptmatrix.measure.lab import CELL_SECONDS
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.model import MEASURED, Cell, CellRecord, Environment, Status, Verdict
from ckptmatrix.plan.config import Config

_SCENARIO = "ckptmatrix.worker.scenarios._stand_in:StandIn"
_BYTES_A_SECOND = 10_000_000
"""How fast a load is at least, with all comparing, before it counts as hanging."""


@dataclass(frozen=True)
class Wish:
    """What is to be tried."""

    directory: Path
    """The user's directory; only read."""
    config: Config
    """The declared matrix."""
    environments: tuple[Environment, ...]
    """The readers."""
    loader: str = "accelerate"
    """Name of the loader."""
    device: str = "cpu"
    """`cpu` or `cuda`."""
    repaired: bool = False
    """Try a repaired copy."""
    trust: bool = False
    """Load pickles that name what is not known to be harmless."""
    scheduler: bool | None = None
    """Whether the script prepares a scheduler; None to conclude it."""
    tied: Mapping[str, str] = field(default_factory=dict)
    """Tied weight that the files left out -> the weight that it is."""
    jobs: int = os.cpu_count() or 1
    """Environments at a time."""


@dataclass(frozen=True)
class Attempt:
    """A directory that is ready to be loaded."""

    wish: Wish
    """What is to be tried."""
    place: Path
    """Temporary folder with the truth and the description of the stand-in."""
    subject: Path
    """The copy that is loaded."""
    found: Inspection
    """What was seen in the copy."""
    compared: frozenset[str]
    """Components that a truth is known of."""
    unsaved: dict[str, tuple[str, ...]]
    """Components that training had and the directory has not."""
    notes: tuple[str, ...]
    """What the stand-in has and has not."""
    size: int
    """Bytes of what readers read."""

    @property
    def treatment(self) -> str:
        """What was done to the copy before the load."""
        return "repaired" if self.wish.repaired else "as-saved"

    def blank(self, reader: Environment, reason: str) -> CellRecord:
        """The outcome where nothing was loaded."""
        return self._of_user(judge.blank(self._cell(reader), Status.NOT_RUN, reason))

    def outcome(self, worker: Worker, reader: Environment) -> CellRecord:
        """Load in one environment. The judge is judged there as well: a load of nothing must lose
        everything, a perfect one nothing.

        Raises:
            CkptmatrixError: the judge failed, or the worker died.
        """
        record = self._asked(worker, reader, "load")
        if record.status not in MEASURED:
            return record
        for control, verdict in (("nothing", Verdict.LOST), ("perfect", Verdict.RESTORED)):
            components = self._asked(worker, reader, "control", control=control).components
            judged = {name: v for name, v in components.items() if name in self.compared}
            wrong = [n for n, found in judged.items() if found not in (verdict, Verdict.ABSENT)]
            if wrong:
                raise CkptmatrixError(f"the {control} control came out wrong in {wrong[0]}")
        return record

    def outcome_in(self, built: Built, start: Callable[[Built], Worker]) -> CellRecord:
        """The same in a worker of its own; what goes wrong in ckptmatrix itself is `not-run`."""
        try:
            with start(built) as worker:
                return self.outcome(worker, built.environment)
        except CkptmatrixError as error:
            return self.blank(built.environment, f"ckptmatrix failed on it: {error.message}")

    def _cell(self, reader: Environment) -> Cell:
        return Cell(reader, reader, "stand-in", self.wish.loader, self.treatment)

    def _of_user(self, record: CellRecord) -> CellRecord:
        return replace(record, writer=str(self.wish.directory))

    def _asked(self, worker: Worker, reader: Environment, op: str, **more: str) -> CellRecord:
        answer = worker.ask(
            op,
            CELL_SECONDS + self.size / _BYTES_A_SECOND,
            scenario=f"{_SCENARIO}@{self.place / 'stand_in.json'}",
            loader=self.wish.config.loaders[self.wish.loader],
            device=self.wish.device,
            directory=str(self.subject),
            truth=str(self.place / "truth"),
            digest="",
            unsaved=self.unsaved,
            **more,
        )
        return self._of_user(judge.outcome(self._cell(reader), answer, now()))


def make_ready(wish: Wish, place: Path, say: Callable[[str], None] = lambda said: None) -> Attempt:
    """Refuse, or copy, repair if wished, and read.

    Args:
        wish: what is to be tried.
        place: an empty temporary folder.
        say: called with what a person should know before it takes long.

    Raises:
        UsageError: the directory is not of a kind that can be tried, or not trusted.
        CkptmatrixError: a file is damaged, there is no room, or it is being written to.
    """
    before = snapshot(wish.directory)
    original = inspect(wish.directory)
    files = wanted(original.facts, hooked_files(original))
    refuse(original, files, wish.trust)
    size = sum(file.bytes for file in original.facts.files if file.name in files)
    check_room(place, size * (4 if wish.repaired else 2))
    say(f"{human(size)} are copied to {place}; {wish.directory} is only read")
    subject = place / "as-saved" / wish.directory.resolve().name
    copy(wish.directory, files, subject)
    after = snapshot(wish.directory)
    if any(after.get(name) != before.get(name) for name in files):
        raise NothingRanError(
            f"{wish.directory} changed while it was copied, so the copy may be of two states",
            "wait until the training has saved, and try again",
        )
    mended: tuple[str, ...] = ()
    if wish.repaired:
        repaired = place / "repaired" / subject.name
        repaired.parent.mkdir()
        report = repair(subject, repaired, RepairOptions(tied=wish.tied))
        mended = tuple(f"Repaired: {change.file}: {change.what}." for change in report.changes)
        subject = repaired
    found = inspect(subject)
    truth = read_truth(subject, found.facts, hooked_files(found), wish.tied, wish.trust)
    told = describe(place / "truth", found, truth, wish.scheduler)
    truth.encoder.save(place / "truth", truth.trees)
    (place / "stand_in.json").write_bytes(msgspec.json.encode(told))
    return Attempt(
        wish,
        place,
        subject,
        found,
        frozenset(truth.trees),
        {**truth.unsaved, **told.missing(found.facts)},
        (*notes_of(original, told, truth, wish.device), *mended),
        size,
    )
