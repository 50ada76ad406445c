"""Where things lie that tests look at: the project, the committed checkpoints, runs."""

import json
from pathlib import Path

from ckptmatrix.model import CheckpointRecord, Environment
from ckptmatrix.util.home import Home

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "reports" / "sample"
"""A real run of the default tier."""
BASIC_RUN = ROOT / "tests" / "data" / "runs" / "basic.json.gz"
"""The scenario `basic` out of the sample."""
SHARDED_RUN = ROOT / "reports" / "sharded"
"""A real run of fully sharded training."""
BY_TRAINING_STACK = ROOT / "tests" / "data" / "checkpoints-by-training-stack"
"""Checkpoints as kohya's scripts and plain accelerate leave them."""
LORA = BY_TRAINING_STACK / "lora-000030-state"
"""The founding case: kohya, accelerate 0.33.0."""
TO_REPAIR = ROOT / "tests" / "data" / "checkpoints-to-repair"
"""Checkpoints that some releases cannot read."""
FIXTURES = ROOT / "fixtures" / "checkpoints"
MANIFESTS = sorted(FIXTURES.glob("*/*/manifest.json"))
FOUNDING = FIXTURES / "kohya-lora" / "0.33.0+torch2.4-np1" / "name-000030-state"
NEWEST_BASIC = FIXTURES / "basic" / "1.15.0+torch2.15-np2" / "checkpoint"

NEWEST = Environment("1.15.0", "torch2.15-np2")
"""The environment that most tests of the worker run in."""


def fixture_of(record: CheckpointRecord) -> Path | None:
    """The committed checkpoint of the same writer and scenario, if there is one."""
    folder = FIXTURES / record.scenario / record.writer.removeprefix("accelerate-")
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return None
    return folder / str(json.loads(manifest.read_text())["directory"])


def of_the_run(record: CheckpointRecord) -> Path | None:
    """The checkpoint itself (in CKPTMATRIX_HOME, or `.ckptmatrix`), if it is on this machine."""
    short = record.writer.removeprefix("accelerate-")
    name = f"{record.scenario}-{record.key[:12]}"
    place = Home.of(ROOT).checkpoints / short / name / record.directory
    return place if record.directory and place.is_dir() else None
