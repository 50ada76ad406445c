"""What a cell costs: a warm reader's fork against a process of its own, side by side in one run.

    python tools/bench.py                    the smoke tier, a dozen scenarios; some minutes
    python tools/bench.py --samples 30       more of the plain way

Both ways measure the same cells by the same code (`Worker`, `load`, `judge.outcome`): the warm way
as every run does (pytest deals readers to processes, a reader forks for each load), the plain way
in a new process for each of a sample of cells. Their outcomes must agree, or the bench fails.
CPU seconds are what the kernel counts for a process and all that it waited for.
"""

import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import click
from rich.console import Console

from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.knowledge.expectations import read_expectations
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.loading import CELL_SECONDS
from ckptmatrix.measure.pipeline import prepare
from ckptmatrix.measure.pytest_driver import measure_cells
from ckptmatrix.model import MEASURED, Cell, CellRecord, Environment
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.planning import make_plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import Selection
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home
from ckptmatrix.worker import words
from ckptmatrix.worker.protocol import Hello

ROOT = Path(__file__).parents[1]
SCENARIOS = (
    "accumulation,basic,bin-weights,custom-objects,gpu-written,kohya-lora,mid-epoch,optimizers,"
    "schedulers,strict-false,tied-weights,two-models"
)
_FORKS = 50


@dataclass(frozen=True)
class Bench:
    """What `reports/bench.json` holds; times are CPU seconds unless they say otherwise."""

    cells: int
    """Cells that have an outcome in the end."""
    loads: int
    """Loads really made for them: byte-identical checkpoints are loaded once by a reader."""
    readers: int
    """Reader processes that were started for them."""
    plain_samples: int
    """Cells measured the plain way."""
    plain_cpu_seconds_per_cell: float
    """Median over the samples."""
    plain_wall_seconds_per_cell: float
    """Median over the samples."""
    warm_cpu_seconds_per_cell: float
    """The whole phase, pytest and the readers' starts included, divided by the cells."""
    warm_cpu_seconds_per_load: float
    """The same divided by the loads: what is left without sharing."""
    warm_wall_seconds: float
    """The whole phase."""
    cores_busy: float
    """CPU seconds for each wall-clock second of the phase."""
    ratio: float
    """Plain over warm, by cell."""
    ratio_by_load: float
    """Plain over warm, by load."""
    bare_fork_seconds: float
    """A fork of a warm reader whose child does nothing."""
    reader_start_seconds: float
    """Median until a warm reader has answered its first request."""
    cores: int
    """Cores of this machine."""


@click.command()
@click.option("--tier", default="smoke", show_default=True)
@click.option("--scenario", default=SCENARIOS, show_default=True, metavar="A,B")
@click.option("--samples", default=15, show_default=True, help="Cells measured the plain way.")
@click.option("--output", default=ROOT / "reports" / "bench.json", type=click.Path(path_type=Path))
def command(tier: str, scenario: str, samples: int, output: Path) -> None:
    """Measure what a cell costs, warm and plain."""
    console = Console()
    config = read_config(ROOT / "matrix.toml")
    selection = Selection(tier, scenarios=tuple(scenario.split(",")), remedies=False)
    plan = make_plan(config, selection)
    expectations = read_expectations(ROOT / "expectations.toml")
    shared = Site.of(config)
    job = Job(shared, Selected(config, selection, "", plan), expectations)
    built = prepare(job)
    with tempfile.TemporaryDirectory(prefix="ckptmatrix-bench-") as folder:
        site = _apart(shared, Path(folder))
        os.environ["CKPTMATRIX_HOME"] = str(site.home.root)  # what pytest's processes go by
        ready = [one for one in built.values() if one.ready]
        starts = [_cost(partial(_start, one, site)) for one in ready]
        warm = _warm(replace(job, site=site), built)
        plain = [_plain(cell, site, built, warm) for cell in _sample(warm, samples)]
        fork = _bare_fork(next(iter(warm.records)), site, built)
    found = Bench(
        cells=len(warm.records),
        loads=warm.loads,
        readers=warm.readers,
        plain_samples=len(plain),
        plain_cpu_seconds_per_cell=median(cost.cpu for cost in plain),
        plain_wall_seconds_per_cell=median(cost.wall for cost in plain),
        warm_cpu_seconds_per_cell=warm.cost.cpu / len(warm.records),
        warm_cpu_seconds_per_load=warm.cost.cpu / warm.loads,
        warm_wall_seconds=warm.cost.wall,
        cores_busy=warm.cost.cpu / warm.cost.wall,
        ratio=median(cost.cpu for cost in plain) / (warm.cost.cpu / len(warm.records)),
        ratio_by_load=median(cost.cpu for cost in plain) / (warm.cost.cpu / warm.loads),
        bare_fork_seconds=fork,
        reader_start_seconds=median(cost.cpu for cost in starts),
        cores=os.cpu_count() or 1,
    )
    write_atomically(output, (json.dumps(asdict(found), indent=2) + "\n").encode())
    console.print(in_words(found), soft_wrap=True)


def in_words(found: Bench) -> str:
    """The figures in words."""
    return (
        f"plain: {found.plain_cpu_seconds_per_cell:.2f} CPU s a cell "
        f"(median of {found.plain_samples} fresh processes)\n"
        f"warm:  {found.warm_cpu_seconds_per_cell:.4f} CPU s a cell, "
        f"{found.warm_cpu_seconds_per_load:.4f} a load ({found.cells} cells, {found.loads} loads, "
        f"{found.readers} readers started at {found.reader_start_seconds:.1f} s each)\n"
        f"ratio: {found.ratio:.0f} by cell, {found.ratio_by_load:.0f} by load\n"
        f"a bare fork: {found.bare_fork_seconds:.4f} CPU s; "
        f"{found.cores_busy:.2f} of {found.cores} cores busy for {found.warm_wall_seconds:.0f} s"
    )


@dataclass(frozen=True)
class _Cost:
    """What something took, in seconds."""

    cpu: float
    """CPU time of this process and of all that it waited for."""
    wall: float
    """Wall-clock time."""


@dataclass(frozen=True)
class _Warm:
    """The warm way's outcomes and cost."""

    records: dict[Cell, CellRecord]
    """Cell -> outcome, for those that could be measured."""
    loads: int
    """Loads really made."""
    readers: int
    """Readers started."""
    cost: _Cost
    """Of the whole phase."""


def _cost(work: Callable[[], object]) -> _Cost:
    cpu, wall = sum(os.times()[:4]), time.perf_counter()
    work()
    return _Cost(sum(os.times()[:4]) - cpu, time.perf_counter() - wall)


def _start(one: Installation, site: Site) -> None:
    one.start(site).close()


def _apart(shared: Site, folder: Path) -> Site:
    """A site with the same environments and checkpoints, and no outcome yet."""
    for place in (shared.home.environments, shared.home.checkpoints):
        (folder / place.name).symlink_to(place)
    return replace(shared, home=Home(folder))


def _warm(job: Job, built: dict[Environment, Installation]) -> _Warm:
    """The cells phase of a run as it is."""
    with Lab(job.site, built) as lab:
        unmeasured = lab.unmeasured(job.plan.cells)
        cost = _cost(lambda: measure_cells(job, unmeasured))
        known = {cell: lab.known(cell) for cell in job.plan.cells}
    missing = [cell.id for cell, record in known.items() if record is None]
    if missing:
        raise SystemExit(f"no outcome for {len(missing)} cells, such as {missing[0]}")
    measured = {cell: r for cell, r in known.items() if r and r.status in MEASURED}
    return _Warm(measured, len(unmeasured), len({c.reader for c in unmeasured}), cost)


def _sample(warm: _Warm, samples: int) -> list[Cell]:
    cells = sorted(warm.records, key=lambda cell: cell.id)
    return random.Random(0).sample(cells, min(samples, len(cells)))


def _plain(cell: Cell, site: Site, built: dict[Environment, Installation], warm: _Warm) -> _Cost:
    """One cell in a process of its own, which imports what this cell needs and nothing else."""
    unwarmed = {**built, cell.reader: replace(built[cell.reader], warm=("json",))}
    found = []
    with Lab(site, unwarmed) as lab:
        lab.registry.treated(cell)

        def one() -> None:
            found.append(lab.measured(cell))
            lab.close()

        cost = _cost(one)
    if _essence(found[0]) != _essence(warm.records[cell]):
        raise SystemExit(f"the two ways disagree on {cell.id}")
    return cost


def _essence(record: CellRecord) -> CellRecord:
    return replace(record, writer="", seconds=0.0, measured="")


def _bare_fork(cell: Cell, site: Site, built: dict[Environment, Installation]) -> float:
    """CPU seconds of a fork of a warm reader whose child only asks which device there is."""
    with Lab(site, built) as lab:
        lab.measured(cell)
        worker = lab.registry.worker(cell.reader)
        before = _cpu_of(worker.pid)
        for _ in range(_FORKS):
            worker.ask(Hello(words.Device.CPU, warm=(), rehearse=False), CELL_SECONDS)
        return (_cpu_of(worker.pid) - before) / _FORKS


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process and of the children that it waited for, from `/proc`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    command()
