"""From outcomes of cells to the judged matrix."""

import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from packaging.version import Version

from ckptmatrix import __version__
from ckptmatrix.causes import Evidence, cause_of, known_causes
from ckptmatrix.errors import CkptmatrixError, NothingRanError
from ckptmatrix.expectations import lay_over
from ckptmatrix.home import digest
from ckptmatrix.index import released
from ckptmatrix.job import Job
from ckptmatrix.judge import blank
from ckptmatrix.lab import Lab
from ckptmatrix.model import (
    MEASURED,
    CellRecord,
    CheckpointRecord,
    ControlRecord,
    Matrix,
    RunRecord,
    Status,
)
from ckptmatrix.planning import Plan
from ckptmatrix.sources import package_digest
from ckptmatrix.store import now


@dataclass(frozen=True)
class Measured:
    """A run whose cells have outcomes; what is left to do is to put them together."""

    job: Job
    """What was asked for."""
    lab: Lab
    """Where it was measured."""
    controls: tuple[ControlRecord, ...]
    """How the controls came out."""
    failures: dict[str, str]
    """Cell id -> what went wrong in ckptmatrix itself."""
    started: str
    """When the run began, ISO 8601 in UTC."""

    def digest(self) -> str:
        """Of everything that the matrix is made from, but for the expectations and the time."""
        job, lab = self.job, self.lab
        return digest(
            package_digest(),
            job.selection.describe(),
            job.device,
            job.narrowed,
            asdict(job.shard) if job.shard else None,
            [asdict(lab.built(environment).record) for environment in job.plan.environments],
            [asdict(checkpoint) for checkpoint in self._checkpoints()],
            job.plan.remedies,
            [(cell.id, lab.key(cell)) for cell in job.plan.cells],
            lab.store.state(),  # another one whenever anything is measured again
            [asdict(control) for control in self.controls],
            self.failures,
            _newer(job.plan),
        )

    def matrix(self) -> Matrix:
        """Everything that was found out, judged.

        Raises:
            NothingRanError: no cell has an outcome.
        """
        tier = "" if self.job.narrowed else self.job.selection.tier
        today = datetime.now(UTC).date()
        return lay_over(self._assembled(), self.job.expectations, tier, today)

    def _checkpoints(self) -> tuple[CheckpointRecord, ...]:
        return tuple(
            self.lab.written(writer, scenario).record
            for writer, scenario in self.job.plan.checkpoints
            if self.lab.built(writer).ready
        )

    def _assembled(self) -> Matrix:
        job, lab = self.job, self.lab
        cells = []
        problems = []
        for cell, record in lab.recalled(job.plan.cells):
            if record is None:
                failure = self.failures.get(cell.id, "it was never measured")
                problems.append(f"ckptmatrix failed on {cell.id}: {failure}")
                record = blank(cell, Status.NOT_RUN, f"ckptmatrix failed on it: {failure}")
            cells.append(record)
        measured = [record for record in cells if record.status in MEASURED]
        if not measured and not job.shard:
            reasons = Counter(record.reason for record in cells).most_common(1)
            raise NothingRanError(
                f"no cell could be measured: {reasons[0][0]}", "widen the selection"
            )
        built = [lab.built(environment) for environment in job.plan.environments]
        checkpoints = self._checkpoints()
        judged = bool(self.controls) or not measured
        passed = judged and all(control.passed for control in self.controls)
        matrix = Matrix(
            RunRecord(
                tool_version=__version__,
                started=self.started,
                finished=now(),
                device=job.device,
                platform=f"{platform.system()} {platform.machine()}, "
                f"Python {platform.python_version()}",
                tier=job.selection.describe(),
                controls="passed" if passed else "failed",
                measured=sum(record.measured >= self.started for record in measured),
                device_name=next((one.device_name for one in built if one.device_name), ""),
                processes=max(map(_processes, checkpoints), default=1),
                newer=_newer(job.plan),
                shard=job.shard,
            ),
            {one.environment.id: one.record for one in built},
            checkpoints,
            tuple(cells),
            controls=self.controls,
            problems=tuple(problems),
        )
        return with_causes(matrix)


def _processes(checkpoint: CheckpointRecord) -> int:
    """How many processes saved it: each leaves its random states."""
    return sum(name.startswith("random_states_") for name in checkpoint.files) or 1


def with_causes(matrix: Matrix) -> Matrix:
    """The matrix with the cause of each cell that is not exact, and the causes that occur."""
    checkpoints = {(record.writer, record.scenario): record for record in matrix.checkpoints}

    def caused(record: CellRecord) -> CellRecord:
        if record.status not in MEASURED or record.status == Status.EXACT:
            return record
        writer, reader = matrix.environments[record.writer], matrix.environments[record.reader]
        checkpoint = checkpoints[record.writer, record.scenario]
        return replace(record, cause=cause_of(Evidence(record, writer, reader, checkpoint)))

    cells = tuple(caused(record) for record in matrix.cells)
    occurring = {record.cause for record in cells if record.cause}
    causes = {name: known.cause for name, known in known_causes().items() if name in occurring}
    return replace(matrix, cells=cells, causes=causes)


def _newer(plan: Plan) -> tuple[str, ...]:
    """Releases on the index beyond the newest one tested; none if the index cannot be asked."""
    newest = max(Version(environment.accelerate) for environment in plan.environments)
    try:
        index: Iterable[str] = released("accelerate")
    except CkptmatrixError:
        return ()
    return tuple(release for release in index if Version(release) > newest)
