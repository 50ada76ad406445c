"""What a repaired copy has of its source besides what was repaired."""

import os
from pathlib import Path

from ckptmatrix.checkpoint.repair import repair
from tests.checkpoint.repair.copies import KOHYA, Copy, tree
from tests.support.torch_files import torch_zip


def test_source_is_untouched_and_the_rest_is_carried_over(tmp_path: Path) -> None:
    before = tree(KOHYA)
    report = repair(KOHYA, tmp_path / "fixed")
    assert tree(KOHYA) == before
    after = tree(tmp_path / "fixed")
    assert {name for name in before if after[name] != before[name]} == {"random_states_0.pkl"}
    assert set(after) - set(before) == {"pytorch_model.bin"}
    assert set(report.verified) == set(after)


def test_directories_of_hooks_are_carried_over(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    (source / "unet").mkdir()
    (source / "unet" / "config.json").write_text("{}")
    repair(source, tmp_path / "fixed")
    assert (tmp_path / "fixed" / "unet" / "config.json").read_text() == "{}"


def test_what_was_not_read_is_left_out_and_listed(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    (tmp_path / "secret").write_text("of the user")
    (source / "note.txt").symlink_to(tmp_path / "secret")
    (source / "folder").symlink_to(tmp_path)
    os.mkfifo(source / "pipe")
    (source / "tool.py").write_text("import os")
    (source / "more.pkl").write_bytes(torch_zip(b"\x80\x02cos\nsystem\n."))
    (source / "list.txt").write_text("of the script")
    report = repair(source, tmp_path / "fixed")
    left_out = {item.file: item.why for item in report.changes if item.what == "left out"}
    assert set(left_out) == {"note.txt", "folder", "pipe", "tool.py", "more.pkl"}
    assert "os.system" in left_out["more.pkl"]
    there = {path.name for path in (tmp_path / "fixed").iterdir()}
    assert not there & set(left_out)
    assert "list.txt" in there


def test_modes_are_of_reading_and_writing_alone(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    (source / "train_state.json").chmod(0o4755)
    source.chmod(0o777)
    repair(source, tmp_path / "fixed")
    assert (tmp_path / "fixed").stat().st_mode & 0o7777 == 0o755
    assert (tmp_path / "fixed" / "train_state.json").stat().st_mode & 0o7777 == 0o644
