"""From outcomes of cells to the judged matrix."""

import os
import platform
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime

from ckptmatrix import __version__
from ckptmatrix.checkpoint.format.names import FileKind
from ckptmatrix.environments.bundle import package_digest
from ckptmatrix.environments.index_of_the_day import index_of_the_day
from ckptmatrix.environments.variables import of_gpus
from ckptmatrix.errors import NothingRanError
from ckptmatrix.knowledge.causes import explained
from ckptmatrix.knowledge.expectations import judged_by_expectations
from ckptmatrix.measure.faults import problems_of
from ckptmatrix.measure.judge import blank
from ckptmatrix.measure.measured_run import MeasuredRun
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.model import (
    MEASURED,
    CheckpointRecord,
    ControlsResult,
    Fault,
    Matrix,
    RunRecord,
    Status,
)
from ckptmatrix.plan.newer import ACCELERATE, not_measured
from ckptmatrix.util.home import digest


def inputs_digest(measured: MeasuredRun) -> str:
    """Digest of everything that the matrix is made from, but for the expectations and the time."""
    job, lab = measured.job, measured.lab
    return digest(
        package_digest(),
        job.selected.selection.describe(),
        job.site.gpus.identity if job.site.gpus else "",
        job.narrowed,
        asdict(job.shard) if job.shard else None,
        [
            asdict(lab.registry.installed(environment).record)
            for environment in job.plan.environments
        ],
        [asdict(checkpoint) for checkpoint in measured.checkpoints()],
        job.plan.remedies,
        [(cell.id, lab.key(cell)) for cell in job.plan.cells],
        lab.times(job.plan.cells),
        [asdict(control) for control in measured.controls],
        [asdict(fault) for fault in measured.faults()],
        _newer(measured),
    )


def judged_matrix(measured: MeasuredRun) -> Matrix:
    """Everything that was found out, and what of it was expected.

    Raises:
        NothingRanError: no cell has an outcome.
    """
    job = measured.job
    tier = "" if job.narrowed else job.selected.selection.tier
    today = datetime.now(UTC).date()
    return judged_by_expectations(_assembled(measured), job.expectations, tier, today)


def _assembled(measured: MeasuredRun) -> Matrix:
    job, lab = measured.job, measured.lab
    cells = []
    faults = list(measured.faults())
    for cell, record in lab.recalled(job.plan.cells):
        if record is None:
            never = Fault(cell.scenario, cell.reader.id, "", "never measured", cell.id)
            fault = measured.failures.get(cell.id, never)
            faults.append(fault)
            record = blank(cell, Status.NOT_RUN, f"ckptmatrix failed on it: {fault.sentence}")
        cells.append(record)
    problems = problems_of(faults)
    loaded = [record for record in cells if record.status in MEASURED]
    if not loaded and not job.shard:
        if faults:
            raise NothingRanError(
                "\n".join(("no cell could be measured", *(one.text for one in problems))),
                "mend what raised and run again",
            )
        reasons = Counter(record.reason for record in cells).most_common(1)
        raise NothingRanError(f"no cell could be measured: {reasons[0][0]}", "widen the selection")
    built = [lab.registry.installed(environment) for environment in job.plan.environments]
    newer = _newer(measured)
    checkpoints = measured.checkpoints()
    judged = bool(measured.controls) or not loaded
    passed = judged and all(control.passed for control in measured.controls)
    matrix = Matrix(
        RunRecord(
            tool_version=__version__,
            started=measured.started,
            finished=now(),
            device=job.plan.devices[-1],
            platform=f"{platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}",
            tier=job.selected.selection.describe(),
            controls=ControlsResult.of(passed),
            measured=sum(record.measured >= measured.started for record in loaded),
            device_name=next((one.device_name for one in built if one.device_name), ""),
            variables=of_gpus(os.environ, job.plan.devices[-1]),
            processes=max(map(_processes, checkpoints), default=1),
            newer=newer.get(ACCELERATE, ()),
            newer_packages={name: newer[name] for name in newer if name != ACCELERATE},
            shard=job.shard,
        ),
        {one.environment.id: one.record for one in built},
        checkpoints,
        tuple(cells),
        controls=measured.controls,
        problems=problems,
    )
    return with_causes(matrix)


def _processes(checkpoint: CheckpointRecord) -> int:
    """How many processes saved it: each leaves its random states."""
    return sum(FileKind.RANDOM_STATES.index(name) is not None for name in checkpoint.files) or 1


def with_causes(matrix: Matrix) -> Matrix:
    """The matrix with the cause of each cell that is not exact, and the causes that occur."""
    cells, causes = explained(matrix.cells, matrix.environments, matrix.checkpoints)
    return replace(matrix, cells=cells, causes=causes)


def _newer(measured: MeasuredRun) -> dict[str, tuple[str, ...]]:
    """Package -> releases beyond the newest one measured; nothing if the index never answered."""
    registry, home = measured.lab.registry, measured.job.site.home
    records = (registry.installed(one).record for one in measured.job.plan.environments)
    return not_measured(records, index_of_the_day(home))
