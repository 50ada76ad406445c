"""Failures of ckptmatrix itself reach the run from the processes that measure, as such."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckptmatrix.util.home import Home
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

NOTHING = """
from ckptmatrix.worker.scenarios.basic import Basic

class Nothing(Basic):
    components = ()
"""
"""A scenario in which nothing can be compared: its cell has no outcome, whatever the load does."""

MEASURE = """
import json
from pathlib import Path

from ckptmatrix.environments.site import Site
from ckptmatrix.knowledge.expectations import Expectations
from ckptmatrix.measure.job import Job
from ckptmatrix.measure.pytest_driver import measure_cells
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.planning import make_plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import Selection

config = read_config(Path("matrix.toml"))
selection = Selection("smoke", ("{accelerate}",), ("{stack}",), ("nothing",))
selected = Selected(config, selection, "", make_plan(config, selection))
job = Job(Site.of(config), selected, Expectations(()), jobs=1)
faults = measure_cells(job, job.plan.cells)
print(json.dumps({{cell: fault.message for cell, fault in faults.items()}}))
"""


def test_what_fails_in_ckptmatrix_itself_is_no_outcome_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text(NOTHING)
    declared = (ROOT / "matrix.toml").read_text(encoding="utf-8")
    entry = '[scenarios]\nnothing = "nothing:Nothing"\n'
    (tmp_path / "matrix.toml").write_text(declared.replace("[scenarios]\n", entry))
    code = MEASURE.format(accelerate=NEWEST.accelerate, stack=NEWEST.stack)
    home = tmp_path / "home"
    home.mkdir()
    (home / "environments").symlink_to(Home.of(ROOT).environments, target_is_directory=True)
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "CKPTMATRIX_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    [(cell, why)] = json.loads(ended.stdout.splitlines()[-1]).items()
    assert cell == f"nothing/saved-{NEWEST.short}/loaded-{NEWEST.short}"
    assert why.startswith("a comparison that compared nothing")
