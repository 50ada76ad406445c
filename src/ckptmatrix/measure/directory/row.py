"""One row of the grid: a directory, loaded in each environment of a tier."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ckptmatrix import __version__
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore
from ckptmatrix.environments.installation import Installation
from ckptmatrix.errors import NothingRanError
from ckptmatrix.knowledge.causes import explained
from ckptmatrix.knowledge.releases import NUMPY
from ckptmatrix.measure.directory.attempt import Attempt, Wish, make_ready
from ckptmatrix.measure.directory.copying import at_a_time, snapshot
from ckptmatrix.measure.installing import install, refuse_none
from ckptmatrix.model import (
    MEASURED,
    Cause,
    CellRecord,
    CheckpointRecord,
    CheckpointStatus,
    Device,
    EnvironmentRecord,
    EnvironmentStatus,
    Status,
    Treatment,
    Verdict,
)
from ckptmatrix.util.parallel import side_by_side
from ckptmatrix.util.progress import progress
from ckptmatrix.util.unfinished import folder_in, temporary_folder


@dataclass(frozen=True)
class DirectoryRow:
    """What came of it."""

    directory: str
    """The directory, as it was given."""
    written_by: str
    """The training stack that wrote it."""
    bytes: int
    """Size of what readers read of it."""
    loader: str
    """Name of the loader."""
    treatment: Treatment
    """What was done to it before the load."""
    device: Device
    """Where it was loaded."""
    notes: tuple[str, ...]
    """What the stand-in has and has not, one sentence each."""
    environments: dict[str, EnvironmentRecord]
    """Environment id -> record."""
    cells: tuple[CellRecord, ...]
    """One for each environment; `resume` is always empty, as there is no training to go on."""
    causes: dict[str, Cause] = field(default_factory=dict)
    """Cause id -> explanation and remedy, for the causes that occur."""
    tool_version: str = __version__
    """Version of ckptmatrix."""

    @property
    def measured(self) -> tuple[CellRecord, ...]:
        """The cells that a load really led to."""
        return tuple(cell for cell in self.cells if cell.status in MEASURED)

    @property
    def whole(self) -> tuple[CellRecord, ...]:
        """Those that bring back everything.

        `step` may be unsaved: no reader has it, and only gradient accumulation depends on it.
        """
        return tuple(
            cell
            for cell in self.measured
            if cell.status is Status.EXACT and set(unsaved(cell)) <= {"step"}
        )

    def reader(self, cell: CellRecord) -> tuple[str, str]:
        """Release and stack of the environment that a cell was loaded in."""
        record = self.environments[cell.reader]
        return record.accelerate, record.stack


def unsaved(cell: CellRecord) -> tuple[str, ...]:
    """Components that the reader has and the directory has not."""
    return tuple(name for name, found in cell.components.items() if found == Verdict.UNSAVED)


def try_directory(wish: Wish, say: Callable[[str], None] = lambda said: None) -> DirectoryRow:
    """Load a copy of a directory in every environment and judge what came back.

    Args:
        wish: what is to be tried.
        say: called with what a person should know before it takes long.

    Raises:
        UsageError: the directory is not of a kind that can be tried, or not trusted.
        CkptmatrixError: a file is damaged, there is no room, or nothing could be run.
    """
    with folder_in(temporary_folder()) as place:
        attempt = make_ready(wish, place, say)
        built = install(wish.environments, wish.site, wish.jobs)
        refuse_none(built)
        untouched = snapshot(attempt.subject)
        cells = _measured(attempt, list(built.values()))
        if snapshot(attempt.subject) != untouched:
            raise NothingRanError(
                "a loader changed the copy that it loaded, so the others loaded something else",
                "try one environment at a time, with --accelerate and --stack",
            )
    row = DirectoryRow(
        str(wish.directory),
        attempt.found.stack.title,
        attempt.size,
        wish.loader,
        attempt.treatment,
        wish.device,
        attempt.notes,
        {one.environment.id: replace(one.record, packages=()) for one in built.values()},
        cells,
    )
    if not row.measured:
        raise NothingRanError(f"nothing could be tried: {cells[0].reason}", "widen the selection")
    return _with_causes(row, attempt)


def _measured(attempt: Attempt, built: list[Installation]) -> tuple[CellRecord, ...]:
    wish = attempt.wish
    with progress("loads", len(built)) as advance:

        def cell(one: Installation) -> CellRecord:
            if one.ready:
                record = attempt.outcome_in(one)
            else:
                record = attempt.blank(one.environment, one.record.reason)
            advance(one.environment.id)
            return record

        return tuple(side_by_side(cell, built, at_a_time(attempt.size, wish.jobs)))


def _with_causes(row: DirectoryRow, attempt: Attempt) -> DirectoryRow:
    """The row with the cause of each cell that is not whole, and the causes that occur."""
    facts = attempt.found.facts
    numpy = next((random.numpy for random in facts.random), "")
    writer = EnvironmentRecord(
        "",  # a range of releases at best
        "",
        EnvironmentStatus.READY,
        numpy=str(NUMPY.first_with(core=numpy)) if numpy in tuple(NumpyCore) else "",
    )
    sizes = {file.name: file.bytes for file in facts.files}
    checkpoint = CheckpointRecord(
        row.directory, "stand-in", CheckpointStatus.WRITTEN, files=sizes, unsaved=attempt.unsaved
    )
    cells, causes = explained(row.cells, {**row.environments, row.directory: writer}, (checkpoint,))
    return replace(row, cells=cells, causes=causes)
