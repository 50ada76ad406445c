"""From outcomes of cells to the judged matrix."""

import os
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime

from packaging.version import Version

from ckptmatrix import __version__
from ckptmatrix.environments.bundle import package_digest
from ckptmatrix.environments.index import released
from ckptmatrix.environments.variables import of_gpus
from ckptmatrix.errors import CkptmatrixError, NothingRanError
from ckptmatrix.knowledge.causes import Evidence, cause_of, known_causes
from ckptmatrix.knowledge.expectations import lay_over
from ckptmatrix.measure.judge import blank
from ckptmatrix.measure.measured import Measured
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.model import (
    MEASURED,
    CellRecord,
    CheckpointRecord,
    ControlsResult,
    Matrix,
    RunRecord,
    Status,
)
from ckptmatrix.plan.planning import Plan
from ckptmatrix.util.home import digest


def inputs_digest(measured: Measured) -> str:
    """Digest of everything that the matrix is made from, but for the expectations and the time."""
    job, lab = measured.job, measured.lab
    return digest(
        package_digest(),
        job.selected.selection.describe(),
        job.site.device,
        job.narrowed,
        asdict(job.shard) if job.shard else None,
        [
            asdict(lab.registry.installed(environment).record)
            for environment in job.plan.environments
        ],
        [asdict(checkpoint) for checkpoint in measured.checkpoints()],
        job.plan.remedies,
        [(cell.id, lab.key(cell)) for cell in job.plan.cells],
        lab.store.state(),  # another one whenever anything is measured again
        [asdict(control) for control in measured.controls],
        measured.failures,
        _newer(job.plan),
    )


def judged_matrix(measured: Measured) -> Matrix:
    """Everything that was found out, and what of it was expected.

    Raises:
        NothingRanError: no cell has an outcome.
    """
    job = measured.job
    tier = "" if job.narrowed else job.selected.selection.tier
    today = datetime.now(UTC).date()
    return lay_over(_assembled(measured), job.expectations, tier, today)


def _assembled(measured: Measured) -> Matrix:
    job, lab = measured.job, measured.lab
    cells = []
    problems = []
    for cell, record in lab.recalled(job.plan.cells):
        if record is None:
            failure = measured.failures.get(cell.id, "it was never measured")
            problems.append(f"ckptmatrix failed on {cell.id}: {failure}")
            record = blank(cell, Status.NOT_RUN, f"ckptmatrix failed on it: {failure}")
        cells.append(record)
    loaded = [record for record in cells if record.status in MEASURED]
    if not loaded and not job.shard:
        reasons = Counter(record.reason for record in cells).most_common(1)
        raise NothingRanError(f"no cell could be measured: {reasons[0][0]}", "widen the selection")
    built = [lab.registry.installed(environment) for environment in job.plan.environments]
    checkpoints = measured.checkpoints()
    judged = bool(measured.controls) or not loaded
    passed = judged and all(control.passed for control in measured.controls)
    matrix = Matrix(
        RunRecord(
            tool_version=__version__,
            started=measured.started,
            finished=now(),
            device=job.site.device,
            platform=f"{platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}",
            tier=job.selected.selection.describe(),
            controls=ControlsResult.of(passed),
            measured=sum(record.measured >= measured.started for record in loaded),
            device_name=next((one.device_name for one in built if one.device_name), ""),
            variables=of_gpus(os.environ, job.site.device),
            processes=max(map(_processes, checkpoints), default=1),
            newer=_newer(job.plan),
            shard=job.shard,
        ),
        {one.environment.id: one.record for one in built},
        checkpoints,
        tuple(cells),
        controls=measured.controls,
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
