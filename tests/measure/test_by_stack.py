"""`run --give-up`: one stack at a time on the disk, and the grid of a run that keeps them all."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.environments.index import uv_settings
from ckptmatrix.environments.uv import InstallError, run_uv
from ckptmatrix.model import CellRecord
from ckptmatrix.results.matrix_file.reading import read_matrix

pytestmark = [pytest.mark.environments, pytest.mark.slow]

MATRIX = """
[stacks.one]
python = "3.11"
packages = ["torch==2.13.0", "numpy==1.26.4", "safetensors==0.8.0"]

[stacks.two]
python = "3.11"
packages = ["torch==2.13.0", "numpy==1.26.3", "safetensors==0.8.0"]

[tiers.both]
accelerate = ["1.15.0"]
scenarios = ["basic"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with two stacks; skipped where one is gigabytes, as each is downloaded twice."""
    asked = tmp_path / "asked.txt"
    asked.write_text("torch==2.13.0")
    settings = {**os.environ, **uv_settings(os.environ)}
    try:
        found = run_uv(
            [
                "pip",
                "compile",
                "--no-deps",
                f"--python={sys.executable}",
                "--python-version=3.11",
                str(asked),
            ],
            settings,
        )
    except InstallError as error:
        pytest.skip(f"torch 2.13.0 cannot be had here: {error}")
    if "torch==2.13.0+cpu" not in found:
        pytest.skip("torch 2.13.0 is a CUDA build here, of 5 GB for each stack")
    (tmp_path / "matrix.toml").write_text(MATRIX)
    return tmp_path


def run(project: Path, home: str, *options: str) -> str:
    """Run the tier in a home of its own; what it says, in one line."""
    ended = subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "run", "--device", "cpu", *options],
        cwd=project,
        env={**os.environ, "CKPTMATRIX_HOME": str(project / home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return " ".join(ended.stdout.split())


def grid(project: Path) -> list[CellRecord]:
    return [
        replace(one, seconds=0.0, measured="") for one in read_matrix(project / "reports").cells
    ]


def test_one_stack_at_a_time_gives_the_same_grid_and_leaves_no_stack(project: Path) -> None:
    said = run(project, "frugal", "--give-up")
    assert "4 cells: 4 exact; 0 unexpected; 4 measured in this run; controls passed" in said
    assert said.count("environments: 1 to do") == 4  # each stack once to write, once to read
    home = project / "frugal"
    left = [path for name in ("environments", "uv") for path in (home / name).glob("*")]
    assert [path for path in left if path.is_dir()] == []
    frugal = grid(project)

    again = run(project, "frugal", "--give-up")
    assert "nothing has changed since" in again
    assert "environments" not in again

    run(project, "lavish")
    assert len(list((project / "lavish" / "environments").glob("accelerate-*/"))) == 2
    assert grid(project) == frugal
