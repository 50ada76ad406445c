"""Random states of repaired copies: the same numbers without numpy, and the step beside them."""

import pickletools
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.format import rewriting_archives
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError
from ckptmatrix.checkpoint.repair import RepairOptions, repair, state_files
from tests.checkpoint.repair.copies import KOHYA, TIED, TWO, Copy


def numpy_numbers(path: Path) -> list[int]:
    """The 624 words of numpy's generator, found in the opcodes alone."""
    with zipfile.ZipFile(path) as archive:
        [name] = [n for n in archive.namelist() if n.endswith("data.pkl")]
        texts = [a for _, a, _ in pickletools.genops(archive.read(name)) if isinstance(a, str)]
    [raw] = [text.encode("latin1") for text in texts if len(text) == 2496]
    return list(struct.unpack("<624I", raw))


@pytest.mark.parametrize("checkpoint", [KOHYA, TIED, TWO], ids=lambda path: path.name)
def test_random_states_hold_the_same_numbers_and_no_numpy(checkpoint: Path, tmp_path: Path) -> None:
    repair(checkpoint, tmp_path / "fixed")
    name = "random_states_0.pkl"
    before, after = (
        rewriting_archives.read(checkpoint / name),
        rewriting_archives.read(tmp_path / "fixed" / name),
    )
    assert not any("numpy" in text for text in state_files.globals_of(after.root))
    kind, numbers, *rest = after.root["numpy_random_seed"]
    assert (kind, numbers) == ("MT19937", numpy_numbers(checkpoint / name))
    assert tuple(rest) == before.root["numpy_random_seed"][2:]
    assert after.root["random_state"] == before.root["random_state"]
    key = after.root["torch_manual_seed"].args[0].key
    assert b"".join(after.chunks(key)) == b"".join(before.chunks(key))
    assert after.root["torch_cuda_manual_seed"] == []


def test_step_is_kept_or_taken_from_where_it_is_recorded(copy: Copy, tmp_path: Path) -> None:
    assert repair(KOHYA, tmp_path / "own").step == "360 (random_states_0.pkl)"
    source = copy(TIED)  # written before 0.32.0
    report = repair(source, tmp_path / "none")
    assert report.step.startswith("0 (nowhere recorded")
    assert not report.step_known
    assert any("other micro-batches" in limit.what for limit in report.limits)
    report = repair(source, tmp_path / "given", RepairOptions(step=7))
    assert (report.step, report.step_known) == ("7 (--step)", True)
    root = rewriting_archives.read(tmp_path / "given" / "random_states_0.pkl").root
    assert (root["step"], next(iter(root))) == (7, "step")


@pytest.mark.parametrize(
    ("name", "content", "known"),
    [
        ("train_state.json", '{"current_epoch": 3, "current_step": 45}', True),
        ("training_state.json", '{"global_step": 45}', False),
        ("train_state.json", '{"current_step": 45}', False),
        ("train_state.json", "[45]", False),
    ],
)
def test_a_count_of_optimizer_steps_is_no_step(
    copy: Copy, tmp_path: Path, name: str, content: str, known: bool
) -> None:
    source = copy(TIED)
    (source / name).write_text(content)
    report = repair(source, tmp_path / "fixed")
    root = rewriting_archives.read(tmp_path / "fixed" / "random_states_0.pkl").root
    assert (root["step"], report.step_known) == (0, known)
    assert any("other micro-batches" in limit.what for limit in report.limits) != known


def test_every_rank_is_repaired(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    shutil.copy(source / "random_states_0.pkl", source / "random_states_1.pkl")
    report = repair(source, tmp_path / "fixed")
    for rank in (0, 1):
        root = rewriting_archives.read(tmp_path / "fixed" / f"random_states_{rank}.pkl").root
        assert isinstance(root["numpy_random_seed"][1], list)
    assert any("more than 2 process" in item.whom for item in report.limits)


def test_missing_random_states_need_a_step(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    (source / "random_states_0.pkl").unlink()
    with pytest.raises(DamagedError, match=r"random_states_0\.pkl is missing") as caught:
        repair(source, tmp_path / "fixed")
    assert "--step" in caught.value.remedy
    report = repair(source, tmp_path / "fixed", RepairOptions(step=360))
    root = rewriting_archives.read(tmp_path / "fixed" / "random_states_0.pkl").root
    assert root == {"step": 360, "torch_cuda_manual_seed": []}
    assert any("random states are not restored" in item.what for item in report.limits)
