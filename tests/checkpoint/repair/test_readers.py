"""Repaired copies of real checkpoints in real releases, loaded by accelerate's own `load_state`."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.checkpoint.repair import RepairOptions, repair
from ckptmatrix.checkpoint.repair.weight_files import WantedWeights
from tests.support.environments import python_of
from tests.support.places import TO_REPAIR

pytestmark = pytest.mark.environments

HERE = Path(__file__).parent
READERS = [("0.24.1", "torch2.4-np1"), ("0.33.0", "torch2.15-np1"), ("1.15.0", "torch2.15-np2")]
Loaded = tuple[str, dict[str, dict[str, Any]]]
"""A release, and what its reader has after each load."""
JOBS = ["kohya-0.33.0", "tied-0.24.1", "tied-by-name"]


@pytest.fixture(scope="module", params=READERS, ids=lambda reader: reader[0])
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """Checkpoint -> what a reader has after loading its repaired copy."""
    place = tmp_path_factory.mktemp("repaired")
    for name in JOBS[:2]:
        repair(TO_REPAIR / name, place / name)
    safe = RepairOptions(weights=WantedWeights.SAFETENSORS)
    repair(place / "tied-0.24.1", place / "safe", safe)
    tied = RepairOptions(tied={"head.weight": "emb.weight"})
    repair(place / "safe", place / "tied-by-name", tied)
    shutil.copy(HERE / "reading.py", place)
    done = subprocess.run(
        [python_of(*request.param), place / "reading.py", *(place / name for name in JOBS)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param[0], json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", JOBS)
def test_every_component_equals_the_file(loaded: Loaded, name: str) -> None:
    release, answers = loaded
    answer = answers[name]
    assert answer["error"] is None
    assert answer["different before"] == answer["components"]
    late = ["step"] if release == "0.24.1" else []  # which has no code that restores it
    assert answer["different after"] == late
