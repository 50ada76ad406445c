"""The main job: plan, environments, write, load, judge, report; one way through."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ckptmatrix.environments.building import build_all
from ckptmatrix.environments.installation import Built
from ckptmatrix.environments.other_machine import pins, refuse_others
from ckptmatrix.errors import NothingRanError
from ckptmatrix.measure import checkpoints
from ckptmatrix.measure.controls import run_controls
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.measured import Measured
from ckptmatrix.measure.outcome_store import now
from ckptmatrix.measure.pytest_driver import measure_cells
from ckptmatrix.model import ControlRecord, Environment
from ckptmatrix.util.home import Home
from ckptmatrix.util.parallel import side_by_side
from ckptmatrix.util.progress import progress


@contextmanager
def measured(job: Job) -> Iterator[Measured]:
    """Do everything from nothing to outcomes of all cells; the lab is open meanwhile.

    Raises:
        NothingRanError: no environment could be built, or pytest failed.
    """
    started = now()
    home = Home.of(job.config.root)
    built = prepare(job, home)
    with Lab(job.config, home, job.device, built, job.plan.remedies) as lab:
        if job.fresh:
            lab.forget(job.plan.cells)
        unmeasured = lab.unmeasured(job.plan.cells)
        controls = _controls(job, lab, built, bool(unmeasured))
        yield Measured(job, lab, controls, measure_cells(job, unmeasured), started)


def prepare(job: Job, home: Home) -> dict[Environment, Built]:
    """Build the environments and write the checkpoints, but for what was written elsewhere.

    Raises:
        NothingRanError: no environment could be built.
        CkptmatrixError: one came out otherwise than where the checkpoints were written.
    """
    elsewhere = writers_elsewhere(job.plan, job.config, home, job.device)
    needed = [one for one in job.plan.environments if one not in elsewhere]
    with progress("environments", len(needed)) as advance:
        built = build_all(
            needed,
            job.plan.stacks,
            home,
            job.device,
            lambda one: advance(one.environment.id),
            job.jobs,
            pins(job.plan, home, job.device) if job.shard else None,
        )
    if job.shard:
        # Its readers may all be of a kind that cannot be had; merging sees the whole.
        refuse_others(built.values(), job.plan, home, job.device)
    elif not any(one.ready for one in built.values()):
        reason = next(iter(built.values())).record.reason
        raise NothingRanError(
            f"no environment could be built: {reason}",
            "name a release that the index has; if it has this one, check the network",
        )
    built |= elsewhere
    write_checkpoints(job, home, built)
    return built


def write_checkpoints(job: Job, home: Home, built: dict[Environment, Built]) -> None:
    """Each writer writes what is missing, scenario by scenario, in one worker."""
    todo: dict[Environment, list[str]] = {}
    for writer, scenario in job.plan.checkpoints:
        if built[writer].ready and not checkpoints.find_written(
            job.config, home, built[writer], scenario, job.device
        ):
            todo.setdefault(writer, []).append(scenario)

    def one(writer: Environment) -> None:
        with built[writer].start(home, job.device, (job.config.root,)) as worker:
            for scenario in todo[writer]:
                checkpoints.write(job.config, home, built[writer], scenario, job.device, worker)
                advance(f"{writer.short} {scenario}")

    with progress("checkpoints", sum(map(len, todo.values()))) as advance:
        side_by_side(one, todo, job.jobs)


def _controls(
    job: Job, lab: Lab, built: dict[Environment, Built], needed: bool
) -> tuple[ControlRecord, ...]:
    """Made anew whenever anything is measured; else those of the run that measured it stand."""
    kept = None if needed else lab.controls(job.plan.cells)
    if kept is not None:
        return kept
    with progress("controls", len(job.plan.stacks) * len(job.plan.scenarios)) as advance:
        controls = run_controls(
            job.plan,
            lambda: Lab(job.config, lab.home, job.device, built),
            lambda stack, scenario: advance(f"{scenario} on {stack}"),
            job.jobs,
        )
    lab.keep_controls(job.plan.cells, controls)
    return controls


def baseline_of(root: Path) -> Path | None:
    """The committed report of an earlier run; None if there is none."""
    sample = root / "reports" / "sample"
    return sample if any(sample.glob("matrix.json*")) else None
