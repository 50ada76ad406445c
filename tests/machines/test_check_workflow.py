"""The workflow for pull requests, each of its steps for real, up to the words of the comment."""

import os
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.machines.github import Runner
from tests.machines.test_workflows import CHECK

LOCK = """version = 1
requires-python = ">=3.11"

[[package]]
name = "mine"
version = "0"
source = {{ virtual = "." }}
dependencies = [{{ name = "accelerate" }}]
"""
PACKAGE = """
[[package]]
name = "{name}"
version = "{version}"
source = {{ registry = "https://pypi.org/simple" }}
"""
MATRIX = """
[stacks.now]
from = "uv.lock"
[tiers.own]
accelerate = ["0.33.0"]
scenarios = ["mine"]
[scenarios]
mine = "mine:scenario"
"""


def locked(folder: Path, accelerate: str, numpy: str) -> None:
    versions = {"accelerate": accelerate, "torch": "2.13.0", "numpy": numpy, "safetensors": "0.8.0"}
    packages = [PACKAGE.format(name=name, version=version) for name, version in versions.items()]
    folder.mkdir(parents=True)
    (folder / "uv.lock").write_text("".join([LOCK.format(), *packages]), encoding="utf-8")


@pytest.mark.environments
def test_a_pull_request_gets_its_answer(tmp_path: Path, path: str) -> None:
    checkout = tmp_path / "checkout"
    locked(checkout / "base", "0.33.0", "1.26.4")
    locked(checkout / "head", "1.15.0", "2.4.6")
    (checkout / "base" / "mine.py").write_text(
        "from ckptmatrix.worker.scenarios.basic import scenario\n", encoding="utf-8"
    )
    (checkout / "base" / "matrix.toml").write_text(MATRIX, encoding="utf-8")
    gh = tmp_path / "bin" / "gh"
    gh.write_text(
        f'#!/bin/sh\necho "$*" > "{tmp_path}/asked"\ncat comment.md > "{tmp_path}/said"\n'
    )
    gh.chmod(0o755)
    home = Path(os.environ.get("CKPTMATRIX_HOME", tmp_path / "home"))
    runner = Runner(
        YAML(typ="safe").load(CHECK),
        checkout,
        tmp_path / "runner",
        {},
        {**os.environ, "PATH": path},
        {"check": home, "comment": tmp_path / "none"},
    )
    (tmp_path / "runner").mkdir()
    runner.run()
    assert runner.results == {"check": "success", "comment": "success"}
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert said.startswith("### Will your accelerate checkpoints still resume?")
    assert "| accelerate | 0.33.0 | **1.15.0** |" in said
    assert "measured: mine (your own)" in said
    assert "--body-file comment.md" in (tmp_path / "asked").read_text()
    assert (tmp_path / "runner" / "summary.md").read_text(encoding="utf-8") == said
