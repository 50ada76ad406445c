"""The cells of a run, measured by pytest: xdist deals the readers out to processes."""

from importlib import resources

import msgspec
import pytest

from ckptmatrix.environments.device import Machine
from ckptmatrix.errors import NothingRanError, UsageError
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.pytest_items import HARNESS_FAILURE, cells_of, heading
from ckptmatrix.model import Cell, Fault
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.selection import Selection
from ckptmatrix.util.progress import Advance, progress
from ckptmatrix.worker.words import TRIES


def grid_module(config: Config) -> str:
    """The test module that binds the grid: the project's own, or the package's.

    A matrix that is no file of the project's has the package's: the project's own may do more.
    """
    own = config.path.parent / "tests" / "matrix"
    return str(own if own.is_dir() else resources.files(__package__) / "default_grid.py")


def matching(config: Config, selection: Selection, expression: str) -> tuple[Cell, ...]:
    """The cells that pytest's `-k` expression selects.

    Raises:
        UsageError: the expression is wrong, or selects nothing.
    """
    collected = _Collected()
    arguments = ["--collect-only", "-k", expression]
    ended = pytest.main(_arguments(config, selection, arguments), plugins=[collected])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise UsageError(f"pytest does not understand -k {expression!r}", "see pytest --help")
    if not collected.cells:
        raise UsageError(f"-k {expression!r} selects no cell", "see `ckptmatrix plan --cells`")
    return collected.cells


def measure_cells(job: Job, cells: tuple[Cell, ...]) -> dict[str, Fault]:
    """Measure cells; their outcomes go to the store. What is lost by a process of pytest's that
    died is measured once more, as long as that comes forward.

    Returns:
        Cell id -> what went wrong beside its load, for cells that have no outcome now.

    Raises:
        NothingRanError: pytest itself failed.
    """
    if not cells:
        return {}
    arguments = ["--matrix-unmeasured", "-n", str(job.jobs), "--dist", "loadgroup"]
    # One that took over later would collect fewer cells than the others, which xdist refuses.
    arguments += ["--max-worker-restart", "0"]
    if job.selected.expression:
        arguments += ["-k", job.selected.expression]
    if job.narrowed:
        # What does not take part is not asked for, so that it is not built.
        for end in ("writer", "reader"):
            names = dict.fromkeys(getattr(cell, end).short for cell in job.plan.cells)
            arguments.append(f"--matrix-{end}={','.join(names)}")
    given = _arguments(job.site.config, job.selected.selection, arguments)
    with progress("cells", len(cells)) as advance:
        idle = 0
        while idle < TRIES:
            watcher = _Watcher({heading(cell): cell.id for cell in job.plan.cells}, advance)
            ended = pytest.main(given, plugins=[watcher])
            if ended in _ENDINGS and not watcher.lost:
                break
            idle = 0 if watcher.measured else idle + 1
    if ended not in _ENDINGS:
        raise NothingRanError(
            f"pytest ended with {ended!r}", "run `pytest tests/matrix` to see why"
        )
    return watcher.failures


def _arguments(config: Config, selection: Selection, more: list[str]) -> list[str]:
    options = [f"--matrix-{one.option}={','.join(names)}" for one, names in selection.narrowings()]
    if selection.remedies is not None:
        options.append(f"--matrix-remedies={'yes' if selection.remedies else 'no'}")
    return [
        grid_module(config),
        f"--rootdir={config.root}",
        f"--matrix-config={config.path}",
        f"--matrix-tier={selection.tier}",
        f"--matrix-device={Machine(selection.devices).asked}",
        *options,
        "-p",
        "no:terminal",
        "-p",
        "no:cacheprovider",
        *more,
    ]


class _Collected:
    """Plugin that keeps the cells that pytest selected."""

    def __init__(self) -> None:
        self.cells: tuple[Cell, ...] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.cells = tuple(cells_of(session.items))


_ENDINGS = (
    pytest.ExitCode.OK,
    pytest.ExitCode.TESTS_FAILED,
    # Nothing was left to be measured once more.
    pytest.ExitCode.NO_TESTS_COLLECTED,
)


class _Watcher:
    """Plugin that shows progress and keeps what went wrong in ckptmatrix itself.

    Args:
        cells: what an item is called -> cell id.
        advance: shows progress.
    """

    def __init__(self, cells: dict[str, str], advance: Advance) -> None:
        self.cells = cells
        self.advance = advance
        self.failures: dict[str, Fault] = {}
        self.measured = 0
        """How many cells it was told of."""
        self.lost = False
        """Whether a process of pytest's died, and with it what it was about to measure."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        self.lost = self.lost or error is not None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        cell = self.cells[report.location[2]]
        self.measured += 1
        self.advance(cell)
        for name, value in report.user_properties:
            if name == HARNESS_FAILURE:
                self.failures[cell] = msgspec.json.decode(str(value), type=Fault)
