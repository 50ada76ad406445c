"""The pytest plugin in a project of somebody else: options, cells as items, errors, lightness."""

import sys

import pytest

from ckptmatrix.cli.options import select

pytest_plugins = ("pytester",)

STACKS = """
[stacks.one]
python = "3.11"
packages = ["torch==2.13.0"]

[stacks.two]
python = "3.11"
packages = ["torch==2.4.1"]

[tiers.smoke]
accelerate = ["0.33.0", "1.15.0"]
stacks = ["one"]
scenarios = ["basic"]
"""
WIDE = """
[tiers.wide]
accelerate = ["0.31.0"]
scenarios = ["basic", "tied-weights"]
"""
STACKS += WIDE
GRID = "from ckptmatrix.plugin import Grid\n\ngrid = Grid()\n"
SMOKE = [
    f"basic/saved-{writer}+one/loaded-{reader}+one"
    for reader in ("0.33.0", "1.15.0")
    for writer in ("0.33.0", "1.15.0")
]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a matrix and a module that binds it."""
    monkeypatch.setenv("CKPTMATRIX_HOME", str(pytester.path / "home"))
    (pytester.path / "matrix.toml").write_text(STACKS)
    pytester.makepyfile(test_grid=GRID)
    return pytester


def collected(project: pytest.Pytester, *options: str) -> list[str]:
    """Names of the cells that pytest collects with these options."""
    result = project.runpytest("--collect-only", "-q", "--matrix-device", "cpu", *options)
    start = "test_grid.py::grid::"
    return [line.removeprefix(start) for line in result.outlines if line.startswith(start)]


def test_its_options_are_in_the_help(pytester: pytest.Pytester) -> None:
    told = pytester.runpytest("--help").stdout.str()
    options = ["tier", "config", "device", "remedies", "unmeasured", "writer", "reader"]
    for option in [*options, "accelerate", "stack", "scenario", "loader"]:
        assert f"--matrix-{option}" in told


def test_a_grid_is_collected_into_cells_reader_by_reader(project: pytest.Pytester) -> None:
    assert collected(project) == SMOKE


def test_a_tier_of_ones_own_is_the_default_where_eras_is_not_there(
    project: pytest.Pytester,
) -> None:
    own = STACKS.partition("[tiers.smoke]")[0] + WIDE.replace("wide", "mine")
    (project.path / "matrix.toml").write_text(own)
    assert len(collected(project)) == 8
    (project.path / "matrix.toml").write_text(own + WIDE.replace("wide", "smoke"))
    assert len(collected(project)) == 8
    assert select(project.path / "matrix.toml", None).selection.tier == "mine"


@pytest.mark.parametrize("place", ["other.toml", "declared/other.toml"])
def test_a_command_hands_its_own_file_on_to_pytest(project: pytest.Pytester, place: str) -> None:
    """Under another name than the grid's, beside it or elsewhere."""
    other = project.path / place
    other.parent.mkdir(exist_ok=True)
    stacks = STACKS.partition("[tiers.smoke]")[0].replace("stacks.two", "stacks.three")
    other.write_text(stacks + WIDE)
    command = (sys.executable, "-m", "ckptmatrix", "plan", "--config", place, "--cells")
    told = project.run(*command, "-k", "tied-weights and loaded-0.31.0+one")
    assert told.ret == 0, told.stderr.str()
    cells = [line for line in told.outlines if line.startswith("tied-weights/")]
    assert [cell.partition("/saved-")[2] for cell in cells] == [
        f"0.31.0+{writer}/loaded-0.31.0+one" for writer in ("one", "three")
    ]
    assert len(collected(project, "--matrix-config", place)) == 8


def test_smoke_is_the_plugins_default_and_eras_the_commands(project: pytest.Pytester) -> None:
    (project.path / "matrix.toml").write_text(STACKS.replace("wide", "eras"))
    assert collected(project) == SMOKE
    assert select(project.path / "matrix.toml", None).selection.tier == "eras"


def test_a_matrix_of_another_name_is_found_from_the_root(project: pytest.Pytester) -> None:
    (project.path / "matrix.toml").rename(project.path / "mine.toml")
    project.makepyfile(test_grid=GRID.replace("Grid()", 'Grid("mine.toml")'))
    assert collected(project) == SMOKE


def test_cells_are_selected_by_name(project: pytest.Pytester) -> None:
    chosen = collected(project, "-k", "saved-0.33.0 and loaded-1.15.0")
    assert chosen == ["basic/saved-0.33.0+one/loaded-1.15.0+one"]


@pytest.mark.parametrize(
    ("options", "cells"),
    [
        (("--matrix-tier", "wide"), 8),
        (("--matrix-tier", "wide", "--matrix-stack", "two", "--matrix-scenario", "basic"), 1),
        (("--matrix-accelerate", "0.33.0, 1.0.1,1.15.0"), 9),
        (("--matrix-loader", "accelerate,ckptmatrix"), 8),
        (("--matrix-writer", "0.33.0+one"), 2),
        (("--matrix-reader", "0.33.0+one", "--matrix-writer", "1.15.0+one"), 1),
    ],
)
def test_options_narrow_and_widen_the_grid(
    project: pytest.Pytester, options: tuple[str, ...], cells: int
) -> None:
    assert len(collected(project, *options)) == cells


@pytest.mark.parametrize(
    ("options", "problem", "remedy"),
    [
        (("--matrix-tier", "nothing"), "there is no tier 'nothing'", "take one of smoke, wide"),
        (("--matrix-stack", "three"), "there is no stack 'three'", "there are one, two"),
        (("--matrix-scenario", "nothing"), "there is no scenario 'nothing'", "there are "),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(
    project: pytest.Pytester, options: tuple[str, ...], problem: str, remedy: str
) -> None:
    result = project.runpytest("--collect-only", *options)
    told = result.stdout.str()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert problem in told
    assert f"remedy: {remedy}" in told
    assert "raise UsageError" not in told, "frames of the plugin are nothing to a user"


def test_a_missing_matrix_is_told_in_a_sentence(project: pytest.Pytester) -> None:
    (project.path / "matrix.toml").unlink()
    result = project.runpytest("--collect-only")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert f"cannot read {project.path / 'matrix.toml'}" in result.stdout.str()
    assert "raise UsageError" not in result.stdout.str()


def test_a_device_that_there_is_none_of_is_refused(project: pytest.Pytester) -> None:
    result = project.runpytest("--collect-only", "--matrix-device", "abacus")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*invalid choice: 'abacus'*"])


LOADED = """
import sys

def pytest_unconfigure():
    heavy = ("ckptmatrix.", "filelock", "jinja2", "msgspec", "tomlkit")
    found = sorted(name for name in sys.modules if name.startswith(heavy))
    print("loaded:", *found)
"""


def loaded(project: pytest.Pytester) -> set[str]:
    """Modules of the harness and its dependencies that a run of pytest ends with."""
    project.makeconftest(LOADED)
    result = project.runpytest_subprocess("-q", "--collect-only")
    (line,) = [line for line in result.outlines if line.startswith("loaded:")]
    return set(line.split()[1:])


def test_without_a_grid_it_imports_its_options_alone(project: pytest.Pytester) -> None:
    (project.path / "test_grid.py").unlink()
    project.makepyfile(test_other="def test_nothing():\n    pass\n")
    light = {"ckptmatrix.plugin", "ckptmatrix.plan", "ckptmatrix.plan.narrowings"}
    assert "ckptmatrix.plugin" in loaded(project) <= light


def test_with_a_grid_it_imports_what_measures(project: pytest.Pytester) -> None:
    assert {"ckptmatrix.plugin", "ckptmatrix.measure.pytest_items"} <= loaded(project)
