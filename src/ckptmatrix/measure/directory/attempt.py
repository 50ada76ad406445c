"""A directory made ready to be loaded: its copy, its truth, its stand-in; and one load of it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ckptmatrix.checkpoint.format.rewriting_archives import understood
from ckptmatrix.checkpoint.inspect.console import human
from ckptmatrix.checkpoint.inspect.inspection import Inspection, inspect
from ckptmatrix.checkpoint.repair import RepairOptions, repair
from ckptmatrix.environments import building
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.errors import CkptmatrixError, NothingRanError
from ckptmatrix.measure import judge
from ckptmatrix.measure.directory.copying import check_room, copy, snapshot, wanted
from ckptmatrix.measure.directory.notes import notes_of
from ckptmatrix.measure.directory.refusals import refuse
from ckptmatrix.measure.directory.stand_in import describe, hooked_files, missing
from ckptmatrix.measure.directory.truth import read_truth, without_step
from ckptmatrix.measure.loading import CELL_SECONDS, Loading
from ckptmatrix.model import (
    MEASURED,
    Cell,
    CellRecord,
    Device,
    Environment,
    Status,
    Treatment,
    Verdict,
)
from ckptmatrix.worker import words
from ckptmatrix.worker.protocol import Case
from ckptmatrix.worker.wire import encode
from ckptmatrix.worker.words import ControlKind

_SCENARIO = "ckptmatrix.worker.scenarios._stand_in:StandIn"
_BYTES_A_SECOND = 10_000_000
"""How fast a load is at least, with all comparing, before it counts as hanging."""


@dataclass(frozen=True)
class Wish:
    """What is to be tried."""

    directory: Path
    """The user's directory; only read."""
    site: Site
    """The declared matrix, and where it is tried."""
    environments: tuple[Environment, ...]
    """The readers."""
    loader: str = "accelerate"
    """Name of the loader."""
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

    @property
    def device(self) -> Device:
        """What it is loaded on, alike in all environments; the CPU where there is none."""
        devices = (self.site.device(environment) for environment in self.environments)
        return next(devices, Device.CPU)


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
    def treatment(self) -> Treatment:
        """What was done to the copy before the load."""
        return Treatment.REPAIRED if self.wish.repaired else Treatment.AS_SAVED

    def blank(self, reader: Environment, reason: str) -> CellRecord:
        """The outcome where nothing was loaded."""
        return self._of_user(judge.blank(self._cell(reader), Status.NOT_RUN, reason))

    def outcome(self, worker: Worker, reader: Environment) -> CellRecord:
        """Load in one environment. The judge is judged there as well: a load of nothing must lose
        everything, a perfect one nothing.

        Raises:
            CkptmatrixError: the judge failed, or the worker died.
        """
        loading = self._loading(worker, reader)
        record = self._of_user(loading.outcome())
        if record.status not in MEASURED:
            return record
        for control, verdict in (
            (ControlKind.NOTHING, Verdict.LOST),
            (ControlKind.PERFECT, Verdict.RESTORED),
        ):
            components = loading.control(control).components
            judged = {name: v for name, v in components.items() if name in self.compared}
            wrong = [n for n, found in judged.items() if found not in (verdict, Verdict.ABSENT)]
            if wrong:
                raise CkptmatrixError(f"the {control} control came out wrong in {wrong[0]}")
        return record

    def outcome_in(self, built: Installation) -> CellRecord:
        """The same in a worker of its own; what goes wrong in ckptmatrix itself is `not-run`."""
        try:
            with building.whole(built, self.wish.site).start(self.wish.site) as worker:
                return self.outcome(worker, built.environment)
        except CkptmatrixError as error:
            return self.blank(built.environment, f"ckptmatrix failed on it: {error.message}")

    def _cell(self, reader: Environment) -> Cell:
        return Cell(reader, reader, "stand-in", self.wish.loader, self.treatment)

    def _of_user(self, record: CellRecord) -> CellRecord:
        return replace(record, writer=str(self.wish.directory))

    def _loading(self, worker: Worker, reader: Environment) -> Loading:
        case = Case(
            scenario=f"{_SCENARIO}@{self.place / 'stand_in.json'}",
            device=words.Device(self.wish.device),
            directory=str(self.subject),
            truth=str(self.place / "truth"),
            digest="",
            unsaved=self.unsaved,
        )
        loader = self.wish.site.config.loaders[self.wish.loader]
        seconds = CELL_SECONDS + self.size / _BYTES_A_SECOND
        return Loading(self._cell(reader), worker, case, loader, seconds)


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
    refuse(inspect(subject), files, wish.trust)  # the copy is what will be loaded
    repairs: tuple[str, ...] = ()
    step_known = True
    if wish.repaired:
        repaired = place / "repaired" / subject.name
        repaired.parent.mkdir()
        report = repair(subject, repaired, RepairOptions(tied=wish.tied))
        repairs = tuple(f"Repaired: {change.file}: {change.what}." for change in report.changes)
        step_known = report.step_known
        subject = repaired
    found = inspect(subject)
    with understood(str(wish.directory)):
        truth = read_truth(subject, found.facts, hooked_files(found), wish.tied, wish.trust)
        truth = truth if step_known else without_step(truth)
        stand_in = describe(place / "truth", found, truth, wish.scheduler)
        truth.encoder.save(place / "truth", truth.trees)
    (place / "stand_in.json").write_text(encode(stand_in), encoding="utf-8")
    return Attempt(
        wish,
        place,
        subject,
        found,
        frozenset(truth.trees),
        {**truth.unsaved, **missing(stand_in, found.facts)},
        (*notes_of(original, stand_in, truth, wish.device), *repairs),
        size,
    )
