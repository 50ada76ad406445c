"""The main job: plan, environments, write, load, judge, report; one way through."""

import os
import platform
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import Version

from ckptmatrix import __version__, writing
from ckptmatrix.built import Built
from ckptmatrix.causes import Evidence, cause_of, known_causes
from ckptmatrix.cells import measure_cells
from ckptmatrix.config import Config
from ckptmatrix.controls import run_controls
from ckptmatrix.environments import build_all
from ckptmatrix.errors import CkptmatrixError, NothingRanError
from ckptmatrix.expectations import Expectations, lay_over
from ckptmatrix.home import Home, digest
from ckptmatrix.index import released
from ckptmatrix.judge import blank
from ckptmatrix.lab import Lab
from ckptmatrix.model import (
    MEASURED,
    CellRecord,
    CheckpointRecord,
    ControlRecord,
    Environment,
    Matrix,
    RunRecord,
    ShardRecord,
    Status,
)
from ckptmatrix.parallel import side_by_side
from ckptmatrix.planning import Plan, Selection
from ckptmatrix.progress import progress
from ckptmatrix.recorded import pins, refuse_others, writers_elsewhere
from ckptmatrix.sources import package_digest
from ckptmatrix.store import now


@dataclass(frozen=True)
class Job:
    """What a run is asked to do."""

    config: Config
    """The declared matrix."""
    selection: Selection
    """Tier and what narrows it."""
    plan: Plan
    """Environments and cells."""
    expectations: Expectations
    """Known outcomes."""
    device: str
    """`cpu` or `cuda`."""
    fresh: bool = False
    """Measure again what is known from earlier runs."""
    expression: str = ""
    """pytest's `-k` expression that narrowed the plan."""
    narrowed: bool = False
    """Whether the plan is less than the tier."""
    jobs: int = os.cpu_count() or 1
    """Processes at a time."""
    shard: ShardRecord | None = None
    """Which part of a plan `plan` is; None if it is all of it."""


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
        plan, lab = self.job.plan, self.lab
        return digest(
            package_digest(),
            self.job.selection.describe(),
            self.job.device,
            self.job.narrowed,
            asdict(self.job.shard) if self.job.shard else None,
            [asdict(lab.built(environment).record) for environment in plan.environments],
            lab.digest(plan.cells),
            [asdict(control) for control in self.controls],
            self.failures,
            _newer(plan),
        )

    def matrix(self) -> Matrix:
        """Everything that was found out, judged.

        Raises:
            NothingRanError: no cell has an outcome.
        """
        job = self.job
        matrix = _assembled(job, self.lab, self.controls, self.failures, self.started)
        tier = "" if job.narrowed else job.selection.tier
        return lay_over(matrix, job.expectations, tier, datetime.now(UTC).date())


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
        if built[writer].ready and not writing.find_written(
            job.config, home, built[writer], scenario, job.device
        ):
            todo.setdefault(writer, []).append(scenario)

    def one(writer: Environment) -> None:
        with built[writer].start(home, job.device, (job.config.root,)) as worker:
            for scenario in todo[writer]:
                writing.write(job.config, home, built[writer], scenario, job.device, worker)
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


def _assembled(
    job: Job,
    lab: Lab,
    controls: tuple[ControlRecord, ...],
    failures: dict[str, str],
    started: str,
) -> Matrix:
    """Everything that was found out, in one value."""
    cells = []
    problems = []
    for cell, record in lab.recalled(job.plan.cells):
        if record is None:
            failure = failures.get(cell.id, "it was never measured")
            problems.append(f"ckptmatrix failed on {cell.id}: {failure}")
            record = blank(cell, Status.NOT_RUN, f"ckptmatrix failed on it: {failure}")
        cells.append(record)
    measured = [record for record in cells if record.status in MEASURED]
    if not measured and not job.shard:
        reasons = Counter(record.reason for record in cells).most_common(1)
        raise NothingRanError(f"no cell could be measured: {reasons[0][0]}", "widen the selection")
    built = [lab.built(environment) for environment in job.plan.environments]
    checkpoints = tuple(
        lab.written(writer, scenario).record
        for writer, scenario in job.plan.checkpoints
        if lab.built(writer).ready
    )
    judged = bool(controls) or not measured
    passed = judged and all(control.passed for control in controls)
    matrix = Matrix(
        RunRecord(
            tool_version=__version__,
            started=started,
            finished=now(),
            device=job.device,
            platform=f"{platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}",
            tier=job.selection.describe(),
            controls="passed" if passed else "failed",
            measured=sum(record.measured >= started for record in measured),
            device_name=next((one.device_name for one in built if one.device_name), ""),
            processes=max(map(_processes, checkpoints), default=1),
            newer=_newer(job.plan),
            shard=job.shard,
        ),
        {one.environment.id: one.record for one in built},
        checkpoints,
        tuple(cells),
        controls=controls,
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


def baseline_of(root: Path) -> Path | None:
    """The committed report of an earlier run; None if there is none."""
    sample = root / "reports" / "sample"
    return sample if any(sample.glob("matrix.json*")) else None
