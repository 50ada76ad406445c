"""The main job: plan, environments, write, load; one way through. Judging and reporting follow."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial

from ckptmatrix.environments import building
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.other_machine import pins, refuse_others
from ckptmatrix.environments.sweeping import sweep_home
from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.control_records import find_controls, keep_controls
from ckptmatrix.measure.controls import run_controls, was_made
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.installing import install, refuse_none
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.measured_run import MeasuredRun
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.measure.pytest_driver import measure_cells
from ckptmatrix.measure.worker_pool import WorkerPool
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
    with Lab(job.site, built, job.plan.remedies, prepared=True) as lab:
        if job.fresh:
            lab.forget(job.plan.cells)
        unmeasured = lab.unmeasured(job.plan.cells)
        # Made anew whenever anything is measured; else those of the run that measured it stand.
        kept = None if unmeasured else controls_of(job, lab, built, needed=False)
        controls = controls_of(job, lab, built, needed=True) if kept is None else kept
        yield MeasuredRun(job, lab, controls or (), measure_cells(job, unmeasured), started)


def prepare(job: Job) -> dict[Environment, Installation]:
    """Build the environments and write the checkpoints, but for what was written elsewhere.

    Raises:
        NothingRanError: no environment could be built.
        CkptmatrixError: one came out otherwise than where the checkpoints were written.
    """
    sweep_home(job.site.home)
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
    write_checkpoints(job, built)
    return built


def write_checkpoints(job: Job, built: Mapping[Environment, Installation]) -> None:
    """Let each of these writers write what is missing, scenario by scenario, in one worker."""
    todo: dict[Environment, list[str]] = {}
    for writer, scenario in job.plan.checkpoints:
        one = built.get(writer)
        if one and one.ready and not checkpoints.find_written(job.site, one, scenario):
            todo.setdefault(writer, []).append(scenario)

    def started(writer: Environment) -> Worker:
        return building.whole(built[writer], job.site).start(job.site)

    def write(writer: Environment) -> None:
        with closing(WorkerPool(started)) as pool:
            for scenario in todo[writer]:
                worker = partial(pool.worker, writer)
                checkpoints.written_now(job.site, built[writer], scenario, worker)
                advance(f"{writer.short} {scenario}")

    with progress("checkpoints", sum(map(len, todo.values()))) as advance:
        side_by_side(write, todo, job.jobs)


def controls_of(
    job: Job, lab: Lab, built: Mapping[Environment, Installation], needed: bool
) -> tuple[ControlRecord, ...] | None:
    """Make the controls of a job, or find those of the run that measured its cells.

    Args:
        job: the whole, or a part.
        lab: where its outcomes are found.
        built: its environments.
        needed: make them; else give those that are kept, None if there are none.
    """
    keys = [lab.key(cell) for cell in job.plan.cells]
    if not needed:
        return find_controls(job.site.home, keys)
    with progress("controls", sum(map(len, job.plan.controlled.values()))) as advance:
        controls = run_controls(
            job.plan,
            lambda: Lab(job.site, built, prepared=True),
            lambda stack, scenario: advance(f"{scenario} on {stack}"),
            job.jobs,
        )
    if all(map(was_made, controls)):
        keep_controls(job.site.home, keys, controls)
    return controls
