"""Remedies: what is measured beside a plain load, from a checkpoint that is really repaired."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure import remedies
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.remedies import remedies_of
from ckptmatrix.measure.treatments import treated
from ckptmatrix.model import Cell, Device, Status, Treatment, Verdict
from ckptmatrix.plan.config import Config
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST


@pytest.fixture(scope="module")
def remedying(project: Config) -> Iterator[Lab]:
    with Lab(Site.of(project), remedies=(Device.CPU,)) as lab:
        yield lab


def test_only_a_plain_load_has_remedies() -> None:
    plain = Cell(NEWEST, NEWEST, "basic")
    assert [(one.loader, one.treatment) for one in plain.remedies] == [
        ("ckptmatrix", "as-saved"),
        ("accelerate", "repaired"),
    ]
    assert not any(one.remedies for one in plain.remedies)


def test_a_load_that_is_not_exact_is_measured_with_its_remedies(remedying: Lab) -> None:
    cell = Cell(NEWEST, NEWEST, "stale-files")
    plain, resumed, repaired = remedying.outcomes(cell)
    assert plain.status == Status.DEGRADED
    assert (plain.loader, plain.treatment) == ("accelerate", "as-saved")
    assert (resumed.loader, resumed.treatment) == ("ckptmatrix", "as-saved")
    assert (repaired.loader, repaired.treatment) == ("accelerate", "repaired")
    assert plain.components["model"] == Verdict.WRONG
    assert repaired.components["model"] == Verdict.RESTORED
    assert remedying.unmeasured([cell]) == ()


def test_one_in_so_many_exact_loads_is_measured_with_its_remedies(
    remedying: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell(NEWEST, NEWEST, "basic")
    assert remedying.outcome(cell).status == Status.EXACT
    monkeypatch.setattr(remedies, "_SAMPLE", 1 << 40)
    assert remedies_of(cell, Status.EXACT) == ()
    monkeypatch.setattr(remedies, "_SAMPLE", 1)
    assert remedies_of(cell, Status.EXACT) == cell.remedies
    assert {record.status for record in remedying.outcomes(cell)} == {Status.EXACT}


def test_without_remedies_none_is_measured(lab: Lab) -> None:
    assert len(lab.outcomes(Cell(NEWEST, NEWEST, "stale-files"))) == 1


def test_a_checkpoint_is_repaired_once_and_the_original_stays(lab: Lab) -> None:
    written = lab.registry.written(NEWEST, "basic")
    before = {path: path.read_bytes() for path in written.directory.iterdir()}
    repaired = treated(written, Treatment.REPAIRED, lab.site.home)
    assert repaired.directory != written.directory
    assert set(repaired.hashes) == {path.name for path in repaired.directory.iterdir()}
    assert repaired.content != written.content
    assert repaired.truth.with_suffix(".json").is_file()
    stamp = repaired.directory / "random_states_0.pkl"
    made = stamp.stat().st_mtime_ns
    assert treated(written, Treatment.REPAIRED, lab.site.home) == repaired
    assert stamp.stat().st_mtime_ns == made
    assert before == {path: path.read_bytes() for path in written.directory.iterdir()}
    assert treated(written, Treatment.AS_SAVED, lab.site.home) is written


def test_what_repair_refuses_is_told_as_such(lab: Lab, tmp_path: Path) -> None:
    written = lab.registry.written(NEWEST, "basic")
    place = tmp_path / "damaged"
    damaged = replace(written, place=place, hashes={"optimizer.bin": "another"})
    damaged.directory.mkdir(parents=True)
    whole = (written.directory / "optimizer.bin").read_bytes()
    (damaged.directory / "optimizer.bin").write_bytes(whole[: len(whole) // 2])
    refused = treated(damaged, Treatment.REPAIRED, Home(tmp_path / "home"))
    assert refused.record.status == "failed"
    assert refused.record.reason.startswith("repair refuses it: ")
    assert str(tmp_path) not in json.dumps(refused.record.reason)


def test_tied_weights_are_observed_by_the_writer(lab: Lab) -> None:
    assert lab.registry.written(NEWEST, "tied-weights").tied == {
        "encoder.weight": "decoder.weight"
    } or (lab.registry.written(NEWEST, "tied-weights").tied == {"decoder.weight": "encoder.weight"})
    assert lab.registry.written(NEWEST, "basic").tied == {}
