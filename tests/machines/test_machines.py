"""Many machines are one: shards that really ran, merged, equal the run on one, cell by cell.

Both ways in docs/ are gone for real, with homes that share nothing but the packed checkpoints: the
script by a stand-in for SLURM, the workflow by one for GitHub's runner.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import CellRecord, Environment, Matrix
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.util.home import Home
from tests.machines.github import Runner
from tests.machines.test_workflows import GITHUB, SLURM
from tests.support.places import ROOT

pytestmark = [pytest.mark.environments, pytest.mark.long]

# Four readers of which one cannot be had (0.33.0 refuses numpy 2), exact and degraded cells.
OPTIONS = (
    "--accelerate 0.33.0,1.15.0 --stack torch2.4-np1,torch2.15-np2 --scenario basic --device cpu"
)
READERS = {
    "shard-1": {"0.33.0+torch2.4-np1"},
    "shard-2": {"1.15.0+torch2.4-np1", "1.15.0+torch2.15-np2"},
}


def untimed(cells: Sequence[CellRecord]) -> list[CellRecord]:
    return [replace(cell, seconds=0.0, measured="") for cell in cells]


def agree(merged: Matrix, whole: Matrix) -> None:
    assert untimed(merged.cells) == untimed(whole.cells)
    assert list(merged.environments.items()) == list(whole.environments.items())
    assert merged.checkpoints == whole.checkpoints
    assert merged.causes == whole.causes
    assert merged.problems == whole.problems
    assert merged.run.shard is None
    for name in (
        "tool_version",
        "device",
        "platform",
        "tier",
        "controls",
        "newer",
        "newer_packages",
        "processes",
    ):
        assert getattr(merged.run, name) == getattr(whole.run, name), name
    kinds = {(one.name, one.scenario) for one in whole.controls}
    assert {(one.name, one.scenario) for one in merged.controls} == kinds
    assert {one.environment for one in whole.controls} <= {
        one.environment for one in merged.controls
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a machine checks out, as far as a run reads it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("matrix.toml", "expectations.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture
def homes(tmp_path: Path, lab: Lab) -> Path:
    """A home for each machine; the one that writes has the project's environments already."""
    for reader in set().union(*READERS.values()):
        # Not by the command: other tests may want the same, and a lab waits for them.
        lab.registry.written(Environment(*reader.split("+")), "basic")
    folder = tmp_path / "homes"
    folder.mkdir()
    (folder / "write").symlink_to(lab.site.home.root, target_is_directory=True)
    return folder


def test_machines_together_are_one(tmp_path: Path, checkout: Path, homes: Path, path: str) -> None:
    environ = {**os.environ, "PATH": path}
    environ.pop("CKPTMATRIX_HOME", None)

    # On one machine.
    alone = [sys.executable, "-m", "ckptmatrix", "run", *OPTIONS.split(), "--reports"]
    ended = subprocess.run(
        [*alone, str(tmp_path / "whole")],
        cwd=checkout,
        env={**environ, "CKPTMATRIX_HOME": str(homes / "write")},
    )
    assert ended.returncode in (0, 1)
    whole = read_matrix(tmp_path / "whole")
    assert {"exact", "degraded", "not-run"} <= {cell.status for cell in whole.cells}
    assert {"as-saved", "repaired"} <= {cell.treatment for cell in whole.cells}

    # By SLURM.
    queue = tmp_path / "queue"
    queue.mkdir()
    subprocess.run(
        ["bash", str(SLURM)],
        cwd=checkout,
        env={
            **environ,
            "OPTIONS": OPTIONS,
            "SHARDS": "2",
            "SHARED": str(tmp_path / "shared"),
            "CKPTMATRIX_HOMES": str(homes),
            "SBATCH_QUEUE": str(queue / "jobs.json"),
        },
        check=True,
    )
    logs = {log.name: log.read_text("utf-8") for log in sorted(queue.glob("*.log"))}
    jobs = json.loads((queue / "jobs.json").read_text("utf-8"))
    assert list(jobs.values()) == [[0], [0, 0], [ended.returncode]], logs
    agree(read_matrix(checkout / "reports"), whole)
    for shard, readers in READERS.items():
        home = Home(homes / shard)
        built = {one.name for one in home.environments.iterdir() if one.is_dir()}
        assert {name.rpartition("-")[0] for name in built} == {f"accelerate-{r}" for r in readers}
        assert len(list(home.checkpoints.glob("*/basic-*"))) == 3
        # Writing would have started the writer; what its worker says goes to a log.
        assert {log.stem for log in home.logs.iterdir()} == readers

    # By GitHub's runners, on the same machines.
    shutil.rmtree(checkout / "reports")
    runner = Runner(
        YAML(typ="safe").load(GITHUB),
        checkout,
        tmp_path / "github",
        {"options": OPTIONS, "shards": "2"},
        environ,
        {"write": homes / "write", "merge": homes / "merge"}
        | {f"load{number}": homes / f"shard-{number}" for number in (1, 2)},
    )
    (tmp_path / "github").mkdir()
    runner.run()
    assert runner.results["load"] == "success"
    assert runner.results["merge"] == ("failure" if ended.returncode else "success")
    agree(read_matrix(runner.artifacts / "report"), whole)
    summary = (tmp_path / "github" / "summary.md").read_text("utf-8")
    assert summary == (runner.artifacts / "report" / "matrix.md").read_text("utf-8")

    # A shard that is lost is not overlooked.
    shards = [str(one) for one in sorted(runner.artifacts.glob("shard-*"))]
    lost = subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "merge", shards[1]],
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    assert lost.returncode == 2
    assert "shard 1/2 is missing" in lost.stderr
    assert not (checkout / "reports").exists()
