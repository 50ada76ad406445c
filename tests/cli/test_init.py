"""`ckptmatrix init` in a fresh folder: what it writes, what it leaves alone, and that it works."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from ckptmatrix.cli.init import command
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.own_model import OwnModel, own_models
from ckptmatrix.util.home import Home
from tests.support.places import ROOT

NET = """
import torch


class Scale(torch.nn.Module):
    def __init__(self, factor):
        super().__init__()


class Net(torch.nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(5, width), torch.nn.Linear(width, 2))

    def forward(self, inputs):
        return self.layers(inputs)
"""
FILES = ["matrix.toml", "checkpoint_grid.py", "noxfile.py", ".github/workflows/checkpoints.yml"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a small package of its own."""
    package = tmp_path / "mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "model.py").write_text(NET)
    return tmp_path


def init(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(command, [str(folder), *options])


def test_it_writes_all_that_a_grid_takes(folder: Path) -> None:
    result = init(folder, "--json")
    assert result.exit_code == 0
    assert json.loads(result.output) == {"written": FILES, "kept": [], "model": "mine.model:Net"}
    config = read_config(folder / "matrix.toml")
    assert config.default_tier() == config.default_tier(quick=True) == "upgrade"
    shipped = read_config(ROOT / "matrix.toml")
    assert list(config.stacks.items()) == [
        (name, shipped.stacks[name]) for name in shipped.tiers["smoke"].stacks
    ]
    assert config.tiers["upgrade"].stacks == ["torch2.15-np2"]
    assert config.scenarios["training"] == "checkpoint_grid:train"
    assert "from mine.model import Net\n" in (folder / "checkpoint_grid.py").read_text()


def test_nothing_that_is_there_is_touched_and_what_to_add_is_shown(folder: Path) -> None:
    (folder / "noxfile.py").write_text("# mine\n")
    result = init(folder)
    assert result.exit_code == 0
    assert (folder / "noxfile.py").read_text() == "# mine\n"
    assert "noxfile.py is there and stays as it is" in result.output
    assert 'session.run("ckptmatrix", "run", *session.posargs)' in result.output


@pytest.mark.parametrize("name", ["matrix.toml", "checkpoint_grid.py"])
def test_a_project_that_has_a_grid_is_left_as_it_is(folder: Path, name: str) -> None:
    (folder / name).write_text("# mine\n")
    result = init(folder)
    assert result.exit_code != 0
    assert f"{name} is there already" in str(result.exception)
    assert [one for one in FILES if (folder / one).exists()] == [name]


@pytest.mark.parametrize(
    ("path", "layer", "model"),
    [
        ("mine/model.py", "Linear(5, width)", OwnModel("mine.model", "Net", shape=(5,))),
        ("src/mine/__init__.py", "Linear(5, width)", OwnModel("mine", "Net", "src", (5,))),
        ("a.py", "Conv2d(3, 8, 3)", OwnModel("a", "Net", shape=(3, 16, 16))),
        ("a.py", "Embedding(99, 8)", OwnModel("a", "Net", shape=(8,), tokens=99)),
        ("a.py", "Own(size)", OwnModel("a", "Net")),
    ],
)
def test_a_model_is_found_with_what_it_takes(path: str, layer: str, model: OwnModel) -> None:
    text = NET.replace("Linear(5, width)", layer)
    assert list(own_models({path: text})) == [model]


def test_tests_and_broken_files_are_passed_by() -> None:
    assert not list(own_models({"tests/a.py": NET, ".venv/a.py": NET, "b.py": "def ("}))


def test_its_workflow_is_one_of_githubs(folder: Path) -> None:
    """As those in docs/: by GitHub's schema, may only read, one run at a time."""
    assert init(folder).exit_code == 0
    file = folder / FILES[-1]
    schema = ["check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    subprocess.run([sys.executable, "-m", *schema, str(file)], check=True)
    workflow = YAML(typ="safe").load(file)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] is True
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())


def run(folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "run", "--device", "cpu", *options],
        cwd=folder,
        env={**os.environ, "CKPTMATRIX_HOME": str(Home.of(ROOT).root)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.environments
def test_what_it_writes_works_at_once(folder: Path) -> None:
    assert init(folder, "--accelerate", "1.14.0,1.15.0").exit_code == 0
    ended = run(folder)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "8 cells: 8 exact; 0 unexpected" in ended.stdout
    assert (folder / "reports" / "index.html").is_file()
    again = run(folder, "--update-expectations")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "expectations.toml, from the tier upgrade: 0 kept" in again.stderr
    part = run(folder, "--update-expectations", "--loader", "own")
    assert "expectations.toml, from a part of the tier upgrade: 0 kept" in part.stderr
