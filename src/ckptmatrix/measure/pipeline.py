"""The main job: plan, environments, write, load; one way through. Judging and reporting follow."""

from collections.abc import Iterator
from contextlib import contextmanager

from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.other_machine import pins, refuse_others
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.control_records import find_controls, keep_controls
from ckptmatrix.measure.controls import run_controls
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.installing import install, refuse_none
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.measured_run import MeasuredRun
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.measure.pytest_driver import measure_cells
from ckptmatrix.model import ControlRecord, Environment
from ckptmatrix.util.parallel import side_by_side
from ckptmatrix.util.progress import progress


@contextmanager
def measured(job: Job) -> Iterator[MeasuredRun]:
    """Do everything from nothing to outcomes of all cells; the lab is open meanwhile.

    Raises:
        NothingRanError: no environment could be built, or pytest failed.
    """
    started = now()
    built = prepare(job)
    with Lab(job.site, built, job.plan.remedies) as lab:
        if job.fresh:
            lab.forget(job.plan.cells)
        unmeasured = lab.unmeasured(job.plan.cells)
        controls = _controls(job, lab, built, bool(unmeasured))
        yield MeasuredRun(job, lab, controls, measure_cells(job, unmeasured), started)


def prepare(job: Job) -> dict[Environment, Installation]:
    """Build the environments and write the checkpoints, but for what was written elsewhere.

    Raises:
        NothingRanError: no environment could be built.
        CkptmatrixError: one came out otherwise than where the checkpoints were written.
    """
    elsewhere = writers_elsewhere(job.plan, job.site)
    needed = [one for one in job.plan.environments if one not in elsewhere]
    pinned = pins(job.plan.readers, job.site) if job.shard else None
    built = install(needed, job.site, job.jobs, pinned)
    if job.shard:
        # Its readers may all be of a kind that cannot be had; merging sees the whole.
        refuse_others(built.values(), job.site)
    else:
        refuse_none(built)
    built |= elsewhere
    _write_checkpoints(job, built)
    return built


def _write_checkpoints(job: Job, built: dict[Environment, Installation]) -> None:
    """Each writer writes what is missing, scenario by scenario, in one worker."""
    todo: dict[Environment, list[str]] = {}
    for writer, scenario in job.plan.checkpoints:
        if built[writer].ready and not checkpoints.find_written(job.site, built[writer], scenario):
            todo.setdefault(writer, []).append(scenario)

    def one(writer: Environment) -> None:
        with built[writer].start(job.site) as worker:
            for scenario in todo[writer]:
                checkpoints.write(job.site, built[writer], scenario, worker)
                advance(f"{writer.short} {scenario}")

    with progress("checkpoints", sum(map(len, todo.values()))) as advance:
        side_by_side(one, todo, job.jobs)


def _controls(
    job: Job, lab: Lab, built: dict[Environment, Installation], needed: bool
) -> tuple[ControlRecord, ...]:
    """Made anew whenever anything is measured; else those of the run that measured it stand."""
    keys = [lab.key(cell) for cell in job.plan.cells]
    kept = None if needed else find_controls(job.site.home, keys)
    if kept is not None:
        return kept
    with progress("controls", len(job.plan.stacks) * len(job.plan.scenarios)) as advance:
        controls = run_controls(
            job.plan,
            lambda: Lab(job.site, built),
            lambda stack, scenario: advance(f"{scenario} on {stack}"),
            job.jobs,
        )
    keep_controls(job.site.home, keys, controls)
    return controls
