"""What a worker does to be fast must be nothing that a cell could notice."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell
from ckptmatrix.plan.config import Config
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

CODE = """
import json, os
import accelerate.state
from ckptmatrix.worker.exercising import exercise, often
from ckptmatrix.worker.finding import find_scenario

def seen():
    states = [vars(kind).get("_shared_state") for kind in vars(accelerate.state).values()
              if isinstance(kind, type)]
    return {
        "states": [state for state in states if state],
        "variables": dict(os.environ),
        "tasks": len(os.listdir("/proc/self/task")),
        "left": [name for name in os.listdir(os.environ["TMPDIR"]) if "inductor" not in name],
    }

before = seen()
often(exercise)
often(lambda: find_scenario("ckptmatrix.worker.scenarios.compiled:scenario").exercise(reads=True))
print(json.dumps([before, seen()]))
"""


def test_exercising_leaves_accelerate_the_environment_and_the_threads_alone(
    lab: Lab, tmp_path: Path
) -> None:
    variables = {
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(tmp_path),
    }
    command: list[str | Path] = [lab.registry.installed(NEWEST).python, "-s", "-c", CODE]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout)
    assert before["states"] == []
    assert after["tasks"] == 1
    assert after["left"] == []
    torchs = {name: v for name, v in after["variables"].items() if name.startswith("TORCH")}
    assert {**before, "variables": {**before["variables"], **torchs}} == after


@pytest.mark.parametrize("scenario", ["stale-files", "numpy-lr"])
def test_the_first_load_and_those_after_it_agree(project: Config, scenario: str) -> None:
    """The first is made the plain way; from the second on, much is prepared.

    One of them returns, the other raises before the random states are read: what was not loaded
    must be what it was before.
    """
    cell = Cell(NEWEST, NEWEST, scenario)
    with Lab(Site.of(project)) as lab:
        records = [replace(lab.measured(cell), seconds=0.0, measured="") for _ in range(3)]
    assert records[0] == records[1] == records[2]
