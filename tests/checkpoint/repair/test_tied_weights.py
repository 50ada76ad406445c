"""Weights of repaired copies that share memory: kept tied, or tied again by name."""

from pathlib import Path

import pytest

from ckptmatrix.checkpoint.format import rewriting_tensors
from ckptmatrix.checkpoint.repair import RepairOptions, repair
from ckptmatrix.checkpoint.repair.weight_files import WantedWeights
from ckptmatrix.errors import UsageError
from tests.checkpoint.repair.copies import TIED


def test_tied_weights_stay_in_the_format_that_holds_them(tmp_path: Path) -> None:
    report = repair(TIED, tmp_path / "fixed")
    assert report.weights == ("bin",)
    assert not (tmp_path / "fixed" / "model.safetensors").exists()
    assert rewriting_tensors.shared(
        rewriting_tensors.read_archive(tmp_path / "fixed" / "pytorch_model.bin")
    ) == [["emb.weight", "head.weight"]]


def test_both_formats_of_tied_weights_are_said_to_fail(tmp_path: Path) -> None:
    report = repair(TIED, tmp_path / "fixed", RepairOptions(weights=WantedWeights.BOTH))
    assert any("0.25.0 to 0.32.1" in item.whom for item in report.limits)


def test_a_tied_weight_that_safetensors_left_out_comes_back_by_name(tmp_path: Path) -> None:
    repair(TIED, tmp_path / "safe", RepairOptions(weights=WantedWeights.SAFETENSORS))
    limits = repair(tmp_path / "safe", tmp_path / "unnamed").limits
    assert any("ties weights" in item.whom for item in limits)
    report = repair(
        tmp_path / "safe", tmp_path / "fixed", RepairOptions(tied={"head.weight": "emb.weight"})
    )
    assert report.weights == ("bin",)
    found = rewriting_tensors.read_archive(tmp_path / "fixed" / "pytorch_model.bin")
    original = rewriting_tensors.read_archive(TIED / "pytorch_model.bin")
    assert found.keys() == original.keys()
    assert all(rewriting_tensors.equal(found[name], original[name]) for name in original)
    assert not any("ties weights" in item.whom for item in report.limits)


def test_a_tie_to_a_weight_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no nowhere"):
        repair(TIED, tmp_path / "fixed", RepairOptions(tied={"head.weight": "nowhere"}))
