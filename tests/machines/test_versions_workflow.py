"""The weekly workflow, each of its steps for real: red only for what has been out two weeks."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ckptmatrix.results.report import write_reports
from tests.machines.github import Runner
from tests.machines.test_workflows import VERSIONS
from tests.support import synthetic
from tests.support.index import ask_only, serving
from tests.support.places import ROOT


@pytest.mark.parametrize(("days", "result"), [(13, "success"), (15, "failure")])
def test_the_weekly_workflow(
    days: int, result: str, tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copy(ROOT / "matrix.toml", checkout)
    write_reports(synthetic.matrix(["1.15.0"]), checkout / "reports")
    (tmp_path / "list.json").write_text("{}")
    with serving() as index:
        ask_only(monkeypatch, index.url)
        for package in ("accelerate", "torch", "numpy", "safetensors"):
            index.release(package, "0.1", "2020-01-01")
        uploaded = datetime.now(UTC) - timedelta(days=days)
        index.release("accelerate", "1.16.0", uploaded.strftime("%Y-%m-%dT%H:%M:%SZ"))
        runner = Runner(
            YAML(typ="safe").load(VERSIONS),
            checkout,
            tmp_path,
            {},
            # No Python is newer, whatever uv knows.
            {
                **os.environ,
                "PATH": path,
                "UV_PYTHON_DOWNLOADS_JSON_URL": str(tmp_path / "list.json"),
            },
            {"versions": tmp_path / "home"},
        )
        runner.run()
    assert runner.results == {"versions": result}
