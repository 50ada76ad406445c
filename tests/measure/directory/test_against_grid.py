"""A try of a directory agrees with the grid's cell, where the real objects were there to load it.

The stand-in knows nothing of the scenario but what lies in the directory.
"""

from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.measure.directory.attempt import Attempt, Wish, make_ready
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CellRecord, Environment, Status, Verdict
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import (
    BASIC_RUN,
    FIXTURES,
    FOUNDING,
    NEWEST,
    NEWEST_BASIC,
)

pytestmark = pytest.mark.environments

READERS = [
    Environment("0.24.1", "torch2.4-np1"),
    Environment("0.33.0", "torch2.15-np1"),
    NEWEST,
]
BEFORE_TIES = Environment("0.31.0", "torch2.4-np1")
"""It asks for both names of a tied weight, which safetensors keeps once."""
STATES = [
    *("basic", "bf16", "bin-weights", "custom-objects", "diffusers-ema", "numpy-lr"),
    *("optimizers", "schedulers", "stale-files", "tied-weights", "two-models"),
]


@pytest.fixture(scope="module")
def sample() -> dict[tuple[str, str], CellRecord]:
    """Writer and reader -> cell of the committed report."""
    saved = read_matrix(BASIC_RUN).cells
    cells = read_matrix(BASIC_RUN).cells
    return {
        (then.writer, now.reader): now
        for then, now in zip(saved, cells, strict=True)
        if (now.scenario, now.loader, now.treatment) == ("basic", "accelerate", "as-saved")
    }


def ready(lab: Lab, directory: Path, place: Path, **more: Any) -> Attempt:
    return make_ready(Wish(directory, lab.site, (), **more), place)


def tried(lab: Lab, reader: Environment, directory: Path, place: Path, **more: Any) -> CellRecord:
    return ready(lab, directory, place, **more).outcome(lab.registry.worker(reader), reader)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.short)
def test_every_fixture_comes_out_as_in_the_grid(
    lab: Lab, reader: Environment, sample: dict[tuple[str, str], CellRecord], tmp_path: Path
) -> None:
    folders = sorted((FIXTURES / "basic").iterdir())
    kinds = set()
    for folder in folders:
        place = tmp_path / folder.name
        place.mkdir()
        record = tried(lab, reader, folder / "checkpoint", place)
        cell = sample[f"accelerate-{folder.name}", reader.id]
        assert record.components == cell.components, folder.name
        error = record.error and (record.error.type, record.error.message)
        assert error == (cell.error and (cell.error.type, cell.error.message))
        if not (cell.resume and not cell.resume.exact):
            assert record.status == cell.status
        kinds.add((record.status, record.error and record.error.type))
    assert len(kinds) > 1


@pytest.fixture(scope="module")
def newest(lab: Lab) -> Lab:
    """The lab, after the newest release has written every state."""
    for scenario in STATES:
        assert lab.registry.written(NEWEST, scenario).record.status == "written"
    return lab


@pytest.mark.parametrize("scenario", STATES)
def test_every_kind_of_state_comes_out_as_with_its_own_objects(
    newest: Lab, scenario: str, tmp_path: Path
) -> None:
    written = newest.registry.written(NEWEST, scenario)
    record = tried(newest, NEWEST, written.directory, tmp_path)
    own = newest.measured(Cell(NEWEST, NEWEST, scenario))
    assert record.components == own.components
    if own.error:
        assert record.error
        assert record.error.type == own.error.type
    assert Verdict.RESTORED in record.components.values()


def test_the_founding_directory_raises_what_its_user_saw(lab: Lab, tmp_path: Path) -> None:
    record = tried(lab, READERS[1], FOUNDING, tmp_path)
    assert record.status == Status.FAILED
    assert record.error
    assert (record.error.type, record.error.message) == ("KeyError", "'step'")
    lost = {name for name, verdict in record.components.items() if verdict == Verdict.LOST}
    assert lost == {"rng.python", "rng.numpy", "rng.torch", "step"}
    assert record.components["hook_files"] == Verdict.RESTORED


@pytest.mark.parametrize(
    "more", [{"repaired": True}, {"loader": "ckptmatrix"}], ids=["repaired", "by ckptmatrix"]
)
def test_the_ways_out_bring_the_founding_directory_back(
    lab: Lab, more: dict[str, Any], tmp_path: Path
) -> None:
    record = tried(lab, READERS[1], FOUNDING, tmp_path, **more)
    assert record.status == Status.EXACT
    assert record.components["step"] == Verdict.RESTORED
    assert record.components["rng.numpy"] == Verdict.RESTORED


def test_a_tie_that_no_file_tells_is_known_when_named(lab: Lab, tmp_path: Path) -> None:
    directory = FIXTURES / "tied-weights" / "1.15.0+torch2.15-np2" / "checkpoint"
    (tmp_path / "untold").mkdir()
    assert tried(lab, BEFORE_TIES, directory, tmp_path / "untold").error is None
    tied = {"decoder.weight": "encoder.weight"}
    record = tried(lab, BEFORE_TIES, directory, tmp_path, tied=tied)
    assert record.error
    assert 'Missing key(s) in state_dict: "decoder.weight"' in record.error.message


def test_one_bit_changed_after_the_truth_was_read_is_seen(lab: Lab, tmp_path: Path) -> None:
    attempt = ready(lab, NEWEST_BASIC, tmp_path)
    weights = attempt.subject / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert (NEWEST_BASIC / weights.name).read_bytes() != data
    record = attempt.outcome(lab.registry.worker(NEWEST), NEWEST)
    assert record.status == Status.DEGRADED
    assert {n for n, v in record.components.items() if v == Verdict.WRONG} == {"model"}
    assert record.differences["model"].differing == 1
