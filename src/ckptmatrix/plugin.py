"""The pytest plugin: every cell of a plan is an item, `pytest tests/matrix -k "0.33.0 and 1.15.0"`.

A test module that binds a `Grid` at its top level has the cells as its items; that works as well in
the repository of anybody who trains with accelerate, over scenarios and loaders of their own.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from ckptmatrix.plan.narrowings import NARROWINGS


@dataclass(frozen=True)
class Grid:
    """Put one at the top level of a test module to have the matrix as its tests."""

    config: str = "matrix.toml"
    """Path of the declared matrix, relative to pytest's root folder."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options that narrow or widen the grid."""
    group = parser.getgroup("ckptmatrix", "checkpoint compatibility matrix")
    group.addoption(
        "--matrix-tier",
        metavar="NAME",
        help="tier of matrix.toml (default: smoke; where there is no eras, the first in the file)",
    )
    for one in NARROWINGS:
        group.addoption(f"--matrix-{one.option}", metavar="A,B", help=one.help)
    group.addoption(
        "--matrix-remedies",
        choices=("yes", "no"),
        help="measure what helps where a load is not exact, whatever the tier says",
    )
    for end in ("writer", "reader"):
        what = f"only cells whose {end} is one of these, such as 1.15.0+torch2.15-np2"
        group.addoption(f"--matrix-{end}", metavar="A,B", help=f"{what}, separated by commas")
    group.addoption("--matrix-device", default="auto", choices=("auto", "cpu", "cuda", "both"))
    group.addoption(
        "--matrix-config",
        metavar="FILE",
        help="the declared matrix, instead of the one that the test module names",
    )
    group.addoption(
        "--matrix-unmeasured",
        action="store_true",
        help="leave out cells whose outcome is known from an earlier run",
    )


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> pytest.Collector | None:
    """A `Grid` in a test module becomes a collector of cells."""
    if not isinstance(obj, Grid):
        return None
    from ckptmatrix.measure.pytest_items import GridCollector  # only where there is a grid

    return GridCollector.from_parent(collector, name=name, declared=obj.config)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, each reader's cells stay together."""
    if config.getoption("dist") != "loadgroup":
        return None
    from ckptmatrix.measure.xdist_by_reader import ByReader  # only where xdist is

    return ByReader(config, log)
