"""Checkpoints with what FSDP leaves: written by torch itself, one process for all."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.environments import python_of
from tests.support.places import NEWEST_BASIC, ROOT

WEIGHTS = "pytorch_model_fsdp_0"
WRITERS = [("1.15.0", "torch2.15-np2"), ("0.33.0", "torch2.4-np1")]
"""Environments that write them: accelerate and stack."""
_SCRIPTS = ROOT / "tests" / "checkpoint" / "inspect"


def write_shards(writer: tuple[str, str], folder: Path) -> Path:
    """Write a checkpoint of sharded training, and return its directory."""
    directory = folder / "state"
    directory.mkdir()
    for path in NEWEST_BASIC.glob("*.pkl"):
        shutil.copy(path, directory)
    run_alone(writer, _SCRIPTS / "writing_shards.py", directory)
    return directory


def run_alone(environment: tuple[str, str], script: Path, *arguments: Path | str) -> str:
    """What a script prints in an environment, without a GPU."""
    done = subprocess.run(
        [python_of(*environment), script, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
