"""A run with the environments of one stack at a time, for a disk that does not hold all of them.

A stack's environments are needed twice: to write, and, when all that they are to load is written,
to read. In between they are known by their records, as those of another machine are.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.other_machine import find_record, keep_record, record_of, refuse_others
from ckptmatrix.measure.checkpoints import find_written
from ckptmatrix.measure.installing import install, refuse_none
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.measured_run import MeasuredRun
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.measure.pipeline import controls_of, write_checkpoints
from ckptmatrix.measure.pytest_driver import measure_cells
from ckptmatrix.model import ControlRecord, Environment, Fault


@contextmanager
def measured_by_stack(job: Job) -> Iterator[MeasuredRun]:
    """Do all that `measured` does; what was installed and downloaded for a stack is given up.

    Raises:
        NothingRanError: no environment could be built, or pytest failed.
        CkptmatrixError: a stack came out otherwise when it was installed again.
    """
    started = now()
    stacks = _stacks(job)
    for name, environments in stacks.items():
        if not all(_has_written(job, one) for one in environments):
            with _there(job, name, environments) as built:
                write_checkpoints(job, built)
                for environment, one in built.items():
                    keep_record(environment, job.site, record_of(one))
    known = _recorded(job)
    refuse_none(known)
    controls: list[ControlRecord] = []
    failures: dict[str, Fault] = {}
    with Lab(job.site, known, job.plan.remedies, prepared=True) as lab:
        if job.fresh:
            lab.forget(job.plan.cells)
        for name, environments in stacks.items():
            part = _reading(job, environments)
            unmeasured = lab.unmeasured(part.plan.cells)
            if not unmeasured:
                made = controls_of(part, lab, known, needed=False)
                if made is not None:
                    controls += made
                    continue
            with _there(job, name, environments) as built:
                refuse_others(built.values(), job.site)
                controls += controls_of(part, lab, known | built, needed=True) or ()
                failures |= measure_cells(part, unmeasured)
        yield MeasuredRun(job, lab, tuple(controls), failures, started)


def _stacks(job: Job) -> dict[str, tuple[Environment, ...]]:
    """Name of each stack -> its environments, on whatever device: they share what is installed."""
    found: dict[str, tuple[Environment, ...]] = {}
    for one in job.plan.environments:
        name = job.site.stack(one).name
        found[name] = (*found.get(name, ()), one)
    return found


def _has_written(job: Job, environment: Environment) -> bool:
    """Whether an environment is recorded, and all that it was to write is there."""
    built = find_record(environment, job.site)
    scenarios = [scenario for one, scenario in job.plan.checkpoints if one == environment]
    return built is not None and (
        not built.ready or all(find_written(job.site, built, name) for name in scenarios)
    )


def _recorded(job: Job) -> dict[Environment, Installation]:
    found = {one: find_record(one, job.site) for one in job.plan.environments}
    return {environment: one for environment, one in found.items() if one}


def _reading(job: Job, readers: tuple[Environment, ...]) -> Job:
    """The part of a job that some environments read."""
    cells = tuple(cell for cell in job.plan.cells if cell.reader in readers)
    return replace(job, selected=replace(job.selected, plan=job.plan.narrowed(cells)), part=True)


@contextmanager
def _there(
    job: Job, name: str, environments: tuple[Environment, ...]
) -> Iterator[dict[Environment, Installation]]:
    """The environments of a stack, while the block runs; then nothing of them is left."""
    cache = job.site.home.root / "uv" / name
    known = {one: find_record(one, job.site) for one in environments}
    pins = {one: built.record.packages for one, built in known.items() if built and built.ready}
    built = install(environments, job.site, job.jobs, pins, cache)
    try:
        yield built
    finally:
        for one in built.values():
            shutil.rmtree(one.directory, ignore_errors=True)
        shutil.rmtree(cache, ignore_errors=True)
