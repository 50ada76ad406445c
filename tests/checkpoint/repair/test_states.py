"""States of optimizer, scheduler and custom objects in repaired copies."""

import struct
from pathlib import Path

from ckptmatrix.checkpoint.format import rewriting_archives
from ckptmatrix.checkpoint.format.rewriting_pickles import Call, Global
from ckptmatrix.checkpoint.repair import RepairOptions, repair, state_files
from tests.checkpoint.repair.copies import KOHYA, TWO, Copy, rewrite


def test_a_missing_scheduler_is_said_and_made_when_asked(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    real = rewriting_archives.read(source / "scheduler.bin").root
    (source / "scheduler.bin").unlink()
    limits = repair(source, tmp_path / "without").limits
    assert any("--scheduler-step" in item.remedy for item in limits)
    repair(source, tmp_path / "fixed", RepairOptions(scheduler_step=real["last_epoch"]))
    made = rewriting_archives.read(tmp_path / "fixed" / "scheduler.bin").root
    shared = ("last_epoch", "_step_count", "_last_lr", "base_lrs")
    assert {key: made[key] for key in shared} == {key: real[key] for key in shared}


_NATIVE = (3, "<", None, None, None, -1, -1, 0)
"""The state that numpy gives to a dtype of numbers."""


def test_numpy_scalars_become_numbers(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    archive = rewriting_archives.read(source / "optimizer.bin")
    group = archive.root["param_groups"][0]
    text = struct.pack("<d", group["lr"]).decode("latin1")
    dtype = Call(Global("numpy", "dtype"), ("f8", False, True), state=_NATIVE)
    data = Call(Global("_codecs", "encode"), (text, "latin1"))
    expected = group["lr"]
    group["lr"] = Call(Global("numpy._core.multiarray", "scalar"), (dtype, data))
    rewrite(source / "optimizer.bin", archive.root, archive)
    report = repair(source, tmp_path / "fixed")
    fixed = rewriting_archives.read(tmp_path / "fixed" / "optimizer.bin")
    assert fixed.root["param_groups"][0]["lr"] == expected
    assert fixed.sizes == archive.sizes
    assert any(change.file == "optimizer.bin" for change in report.changes)


def test_custom_objects_keep_their_types_in_the_older_spelling(tmp_path: Path) -> None:
    report = repair(TWO, tmp_path / "fixed")
    name = "custom_checkpoint_0.pkl"
    before, after = (
        state_files.globals_of(rewriting_archives.read(d / name).root)
        for d in (TWO, tmp_path / "fixed")
    )
    assert {text.replace("numpy._core", "numpy.core") for text in before} == after
    assert any("numpy._core" in text for text in before)
    assert any(name in item.what and "1.1.0" in item.whom for item in report.limits)
