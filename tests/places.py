"""Where the checkpoint of a measured cell lies: a committed fixture, or the run that wrote it."""

import json
from pathlib import Path

from ckptmatrix.home import Home
from ckptmatrix.model import CheckpointRecord

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "reports" / "sample"
"""A real run of the default tier."""
FIXTURES = ROOT / "fixtures" / "checkpoints"


def fixture_of(record: CheckpointRecord) -> Path | None:
    """The committed checkpoint of the same writer and scenario, if there is one."""
    folder = FIXTURES / record.scenario / record.writer.removeprefix("accelerate-")
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return None
    return folder / json.loads(manifest.read_text())["directory"]


def of_the_run(record: CheckpointRecord) -> Path | None:
    """The checkpoint itself (in CKPTMATRIX_HOME, or `.ckptmatrix`), if it is on this machine."""
    short = record.writer.removeprefix("accelerate-")
    name = f"{record.scenario}-{record.key[:12]}"
    place = Home.of(ROOT).checkpoints / short / name / record.directory
    return place if record.directory and place.is_dir() else None
