"""The cells of a run, measured by pytest: xdist deals the readers out to processes."""

from importlib import resources
from pathlib import Path

import pytest

from ckptmatrix.errors import NothingRanError, UsageError
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.pytest_items import HARNESS_FAILURE, cells_of
from ckptmatrix.model import Cell, Device
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.selection import Selection
from ckptmatrix.util.progress import Advance, progress


def grid_module(root: Path) -> str:
    """The test module that binds the grid: the project's own, or the package's."""
    own = root / "tests" / "matrix"
    return str(own if own.is_dir() else resources.files(__package__) / "default_grid.py")


def matching(config: Config, selection: Selection, expression: str) -> tuple[Cell, ...]:
    """The cells that pytest's `-k` expression selects.

    Raises:
        UsageError: the expression is wrong, or selects nothing.
    """
    collected = _Collected()
    arguments = ["--collect-only", "-k", expression]
    ended = pytest.main(_arguments(config, selection, Device.CPU, arguments), plugins=[collected])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise UsageError(f"pytest does not understand -k {expression!r}", "see pytest --help")
    if not collected.cells:
        raise UsageError(f"-k {expression!r} selects no cell", "see `ckptmatrix plan --cells`")
    return collected.cells


def measure_cells(job: Job, cells: tuple[Cell, ...]) -> dict[str, str]:
    """Measure cells; their outcomes go to the store.

    Returns:
        Cell id -> what went wrong in ckptmatrix itself, for cells that have no outcome now.

    Raises:
        NothingRanError: pytest itself failed.
    """
    if not cells:
        return {}
    arguments = ["--matrix-unmeasured", "-n", str(job.jobs), "--dist", "loadgroup"]
    if job.selected.expression:
        arguments += ["-k", job.selected.expression]
    if job.narrowed:
        # What does not take part is not asked for, so that it is not built.
        for end in ("writer", "reader"):
            names = dict.fromkeys(getattr(cell, end).short for cell in job.plan.cells)
            arguments.append(f"--matrix-{end}={','.join(names)}")
    with progress("cells", len(cells)) as advance:
        watcher = _Watcher(advance)
        given = _arguments(job.site.config, job.selected.selection, job.site.device, arguments)
        ended = pytest.main(given, plugins=[watcher])
    if ended not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise NothingRanError(
            f"pytest ended with {ended!r}", "run `pytest tests/matrix` to see why"
        )
    return watcher.failures


def _arguments(config: Config, selection: Selection, device: Device, more: list[str]) -> list[str]:
    options = [f"--matrix-{one.option}={','.join(names)}" for one, names in selection.narrowings()]
    if selection.remedies is not None:
        options.append(f"--matrix-remedies={'yes' if selection.remedies else 'no'}")
    return [
        grid_module(config.root),
        f"--rootdir={config.root}",
        f"--matrix-tier={selection.tier}",
        f"--matrix-device={device}",
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


class _Watcher:
    """Plugin that shows progress and keeps what went wrong in ckptmatrix itself."""

    def __init__(self, advance: Advance) -> None:
        self.advance = advance
        self.failures: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        cell = report.location[2]
        self.advance(cell)
        for name, value in report.user_properties:
            if name == HARNESS_FAILURE:
                self.failures[cell] = str(value)
