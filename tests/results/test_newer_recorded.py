"""A real run records what is out beyond its environments, and goes on where the index is gone."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import RunRecord
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.index import ask_only, serving
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments


def run(reports: Path) -> tuple[RunRecord, str]:
    """Run one cell, which other tests measure too; gives the record and what was printed."""
    cell = ["--accelerate", NEWEST.accelerate, "--stack", NEWEST.stack, "--scenario", "basic"]
    command = [sys.executable, "-m", "ckptmatrix", "run", *cell, "--device", "cpu"]
    ended = subprocess.run(
        [*command, "--reports", str(reports)],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stderr
    return read_matrix(reports).run, ended.stdout


def test_a_run_says_what_is_newer(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = lab.registry.installed(NEWEST).record
    with serving() as index:
        for package in ("accelerate", "torch", "numpy", "safetensors"):
            index.release(package, getattr(record, package).partition("+")[0])
        index.release("torch", "99.1", datetime.now(UTC).date().isoformat())
        index.release("accelerate", "99.0")
        index.release("numpy", "0.1")
        ask_only(monkeypatch, index.url)
        found, printed = run(tmp_path)
        assert found.newer == ("99.0",)
        assert found.newer_packages["torch"] == ("99.1",)
        assert found.newer_packages["numpy"] == found.newer_packages["safetensors"] == ()
        assert "accelerate 99.0; torch 99.1" in printed
        asked = len(index.asked)
        _, printed = run(tmp_path)
        assert len(index.asked) == asked, "a repeat asked the index again"
        assert "accelerate 99.0; torch 99.1" in printed
    # Another index, which is not there: nothing is known, and the run is none the worse.
    ask_only(monkeypatch, "http://127.0.0.1:9/simple")
    found, printed = run(tmp_path)
    assert (found.newer, found.newer_packages) == ((), {})
    assert "not measured" not in printed
