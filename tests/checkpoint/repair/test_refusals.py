"""What is not repaired: nothing in it is run, and nothing is left at the destination."""

from pathlib import Path

import pytest

from ckptmatrix.checkpoint.format import rewriting_archives
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError, DangerousError
from ckptmatrix.checkpoint.format.rewriting_pickles import Call, Global
from ckptmatrix.checkpoint.repair import repair
from ckptmatrix.errors import UsageError
from tests.checkpoint.repair.copies import KOHYA, TIED, TWO, Copy, rewrite, tree


def test_nothing_in_a_hostile_file_is_run(copy: Copy, tmp_path: Path) -> None:
    source = copy(TWO)
    mark = tmp_path / "was-run"
    path = source / "custom_checkpoint_0.pkl"
    archive = rewriting_archives.read(path)
    rewrite(path, Call(Global("os", "mkdir"), (str(mark),)), archive)
    with pytest.raises(DangerousError, match=r"custom_checkpoint_0\.pkl names os\.mkdir"):
        repair(source, tmp_path / "fixed")
    assert not mark.exists()
    assert not (tmp_path / "fixed").exists()


@pytest.mark.parametrize(
    "name", ["optimizer.bin", "random_states_0.pkl", "model.safetensors", "scheduler.bin"]
)
@pytest.mark.parametrize("keep", [0, 100, -1])
def test_damaged_files_are_refused_and_nothing_is_left(
    copy: Copy, tmp_path: Path, name: str, keep: int
) -> None:
    source = copy(KOHYA)
    (source / name).write_bytes((source / name).read_bytes()[:keep])
    with pytest.raises(DamagedError, match=name):
        repair(source, tmp_path / "fixed")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_flipped_bit_is_noticed(copy: Copy, tmp_path: Path) -> None:
    source = copy(TIED)
    path = source / "pytorch_model.bin"
    archive = rewriting_archives.read(path)
    key = next(iter(archive.storages))
    content = b"".join(archive.chunks(key))
    data = bytearray(path.read_bytes())
    data[data.index(content)] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"pytorch_model\.bin is damaged"):
        repair(source, tmp_path / "fixed")
    assert [found.name for found in tmp_path.iterdir()] == ["source"]


def test_destinations_that_could_do_harm_are_refused(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    for place in (tmp_path, source, source / "inside", tmp_path / "no" / "folder"):
        with pytest.raises(UsageError):
            repair(source, place)
    assert tree(source) == tree(KOHYA)


def test_other_kinds_of_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "trainer_state.json").write_text("{}")
    with pytest.raises(UsageError, match="Trainer"):
        repair(tmp_path / "trainer", tmp_path / "fixed")
