"""The bench runs and says what it promises; what it finds is the machine's affair."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import ROOT

pytestmark = pytest.mark.environments


def test_the_bench_measures_both_ways_and_they_agree(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    options = ["--scenario", "basic", "--samples", "2", "--output", str(output)]
    ended = subprocess.run(
        [sys.executable, "tools/bench.py", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(output.read_text())
    assert found["plain_samples"] == 2
    assert found["cells"] > found["loads"] > found["readers"] > 1
    for cost in ("plain_cpu_seconds_per_cell", "warm_cpu_seconds_per_cell", "bare_fork_seconds"):
        assert found[cost] > 0
