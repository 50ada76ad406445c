"""Each example, run whole; its cells say what a save-load-compare by hand says."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from ckptmatrix.results.matrix_file import expanded
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.util.home import Home
from tests.support.environments import python_of
from tests.support.places import ROOT

pytestmark = [pytest.mark.environments, pytest.mark.long]

STACK = "torch2.15-np1"
EXAMPLES = ROOT / "examples"
NOT_CAPTURED = {
    # The order of the epoch that was begun is in no file, whoever loads.
    "plain-loop": ("control failed: reference is the uninterrupted run / mid-epoch",)
}
STEP_SAVED = Version("0.32.0")
RELEASES = ("0.24.1", "0.33.0", "1.15.0")
SAVES = {"epoch-end": 2, "mid-epoch": 1, "lora": 1, "ema": 1}
"""Scenario -> which yield of the script its checkpoint is from."""


@dataclass(frozen=True)
class Example:
    """A copy of an example and the outcomes of its run."""

    folder: Path
    cells: dict[tuple[str, str, str], dict[str, Any]]
    """Scenario, writer and reader -> the cell."""
    said: str


@pytest.fixture(
    scope="module", params=sorted(path.parent.name for path in EXAMPLES.glob("*/train.py"))
)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """One of the examples, copied and run as its README says."""
    folder = tmp_path_factory.mktemp("examples") / request.param
    shutil.copytree(EXAMPLES / request.param, folder)
    ended = subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "run", "--device", "cpu"],
        cwd=folder,
        env={**os.environ, "CKPTMATRIX_HOME": str(Home.of(ROOT).root)},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = [line for line in ended.stdout.splitlines() if line.startswith("control failed: ")]
    known = NOT_CAPTURED.get(request.param, ())
    assert [line.partition(" / accelerate")[0] for line in failed] == list(known), ended.stdout
    assert ended.returncode == (3 if known else 1), ended.stdout + ended.stderr
    report = json.loads(expanded.encode(read_matrix(folder / "reports")))
    cells = {
        (cell["scenario"], _release(cell["writer"]), _release(cell["reader"])): cell
        for cell in report["cells"]
    }
    return Example(folder, cells, ended.stdout)


def _release(environment: str) -> str:
    return environment.removeprefix("accelerate-").partition("+")[0]


def by_hand(release: str, way: str, jobs: dict[Path, str]) -> list[dict[str, Any]]:
    """What `plain.py` found in a real environment: folder -> which save, or what to resume from."""
    pairs = [str(text) for job in jobs.items() for text in job]
    done = subprocess.run(
        [python_of(release, STACK), ROOT / "tests" / "examples" / "plain.py", way, *pairs],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"where"')]


def test_its_cells_say_what_a_comparison_by_hand_says(example: Example) -> None:
    scenarios = sorted({scenario for scenario, _, _ in example.cells})
    saved: dict[tuple[str, str], dict[str, Any]] = {}
    places: dict[tuple[str, str], Path] = {}
    for writer in RELEASES:
        for scenario in scenarios:
            place = places[scenario, writer] = example.folder / f"by-hand-{scenario}-{writer}"
            place.mkdir()
            shutil.copy(example.folder / "train.py", place)
        jobs = {places[scenario, writer]: str(SAVES[scenario]) for scenario in scenarios}
        found = by_hand(writer, "save", jobs)
        saved.update({(s, writer): one for s, one in zip(scenarios, found, strict=True)})
    told = {}
    for reader in RELEASES:
        resumed = by_hand(reader, "resume", {places[key]: saved[key]["where"] for key in saved})
        for (scenario, writer), one in zip(saved, resumed, strict=True):
            told[scenario, writer, reader] = _outcome(saved[scenario, writer], one, writer)
    assert {key: cell["status"] for key, cell in example.cells.items()} == told
    assert set(told.values()) == {"exact", "degraded", "failed"}


def _outcome(saved: dict[str, Any], resumed: dict[str, Any], writer: str) -> str:
    if resumed["error"]:
        return "failed"
    unsaved = {"step"} if Version(writer) < STEP_SAVED else set()
    known = saved["state"].keys() - unsaved
    same = all(saved["state"][name] == resumed["state"][name] for name in known)
    return "exact" if same and saved["steps"] == resumed["steps"] else "degraded"
