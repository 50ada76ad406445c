"""Repaired copies of real checkpoints, without torch and numpy, as on a host."""

import contextlib
import hashlib
import json
import os
import pickle
import pickletools
import shutil
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptmatrix.checkpoint.format import rewriting_archives, rewriting_pickles, rewriting_tensors
from ckptmatrix.checkpoint.format.pickles import read_pickle
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError, DangerousError
from ckptmatrix.checkpoint.format.rewriting_pickles import Call, Global
from ckptmatrix.checkpoint.repair import RepairOptions, repair, state_files
from ckptmatrix.checkpoint.repair.weight_files import WantedWeights
from ckptmatrix.errors import UsageError
from tests.support.places import TO_REPAIR
from tests.support.torch_files import torch_zip

Copy = Callable[[Path], Path]
deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize
CHECKPOINTS = TO_REPAIR
KOHYA, TIED, TWO = (
    CHECKPOINTS / name for name in ("kohya-0.33.0", "tied-0.24.1", "two-models-1.15.0")
)


def tree(directory: Path) -> dict[str, str]:
    """Digest of every file."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    """A copy of a checkpoint that the test may change."""

    def copy(checkpoint: Path) -> Path:
        return Path(shutil.copytree(checkpoint, tmp_path / "source"))

    return copy


def numpy_numbers(path: Path) -> list[int]:
    """The 624 words of numpy's generator, found in the opcodes alone."""
    with zipfile.ZipFile(path) as archive:
        [name] = [n for n in archive.namelist() if n.endswith("data.pkl")]
        texts = [a for _, a, _ in pickletools.genops(archive.read(name)) if isinstance(a, str)]
    [raw] = [text.encode("latin1") for text in texts if len(text) == 2496]
    return list(struct.unpack("<624I", raw))


def one_tensor(name: str, dtype: str, shape: list[int], data: bytes) -> bytes:
    """A safetensors file of one tensor."""
    entry = {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}
    header = json.dumps({name: entry}).encode()
    return len(header).to_bytes(8, "little") + header + data


def rewrite(path: Path, root: object, source: rewriting_archives.Archive) -> None:
    """Put another graph into a file, with the same storages."""
    sizes = {key: source.sizes[key] for key in source.storages}
    held = {key: b"".join(source.chunks(key)) for key in sizes}

    def chunks(key: str) -> Callable[[], list[bytes]]:
        return lambda: [held[key]]

    path.unlink()
    rewriting_archives.write(path, root, {key: (sizes[key], chunks(key)) for key in sizes})


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


def test_weights_of_both_formats_are_equal(tmp_path: Path) -> None:
    repair(TWO, tmp_path / "fixed")
    for ending in ("", "_1"):
        safe = dict(deserialize((TWO / f"model{ending}.safetensors").read_bytes()))
        found = rewriting_tensors.read_archive(tmp_path / "fixed" / f"pytorch_model{ending}.bin")
        assert found.keys() == safe.keys()
        for name, tensor in found.items():
            assert b"".join(tensor.chunks()) == bytes(safe[name]["data"])
            assert list(tensor.shape) == safe[name]["shape"]


def test_safetensors_are_read_by_the_library(tmp_path: Path) -> None:
    repair(TIED, tmp_path / "fixed", RepairOptions(weights=WantedWeights.SAFETENSORS))
    data = (tmp_path / "fixed" / "model.safetensors").read_bytes()
    weights = rewriting_tensors.read_archive(TIED / "pytorch_model.bin")
    found = dict(deserialize(data))
    assert found.keys() == weights.keys() - {"head.weight"}
    for name, entry in found.items():
        assert bytes(entry["data"]) == b"".join(weights[name].chunks())


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


def test_shards_become_one_file(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    entries = deserialize((source / "model.safetensors").read_bytes())
    names = [name for name, _ in entries]
    index = {}
    for number, (name, entry) in enumerate(entries, 1):
        shard = f"model-{number:05}-of-{len(entries):05}.safetensors"
        data = bytes(entry["data"])
        (source / shard).write_bytes(one_tensor(name, entry["dtype"], entry["shape"], data))
        index[name] = shard
    (source / "model.safetensors").unlink()
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    report = repair(source, tmp_path / "fixed")
    whole = rewriting_tensors.read_safetensors(KOHYA / "model.safetensors")
    for name, read in (
        ("model.safetensors", rewriting_tensors.read_safetensors),
        ("pytorch_model.bin", rewriting_tensors.read_archive),
    ):
        found = read(tmp_path / "fixed" / name)
        assert found.keys() == set(names)
        assert all(rewriting_tensors.equal(found[n], whole[n]) for n in names)
    assert not [name for name in tree(tmp_path / "fixed") if "-of-" in name or "index" in name]
    assert report.weights == ("bin", "safetensors")


def test_a_missing_shard_is_refused(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    (source / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors"}}
    (source / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(DamagedError, match="00001-of-00002"):
        repair(source, tmp_path / "fixed")


def with_another_safetensors(source: Path) -> None:
    """Put a model.safetensors with other weights beside pytorch_model.bin."""
    repair(source, source.parent / "safe", RepairOptions(weights=WantedWeights.SAFETENSORS))
    data = bytearray((source.parent / "safe" / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (source / "model.safetensors").write_bytes(data)
    shutil.rmtree(source.parent / "safe")


def date(source: Path, **seconds: int) -> None:
    for stem, second in seconds.items():
        [path] = source.glob(f"{stem}.*")
        os.utime(path, (second, second))


def test_a_file_left_over_from_an_earlier_save_is_replaced(copy: Copy, tmp_path: Path) -> None:
    source = copy(TIED)
    with_another_safetensors(source)
    date(source, model=1000, pytorch_model=2000, optimizer=2001)
    report = repair(source, tmp_path / "fixed", RepairOptions(weights=WantedWeights.BOTH))
    found = rewriting_tensors.read_safetensors(tmp_path / "fixed" / "model.safetensors")
    right = rewriting_tensors.read_archive(TIED / "pytorch_model.bin")
    assert all(rewriting_tensors.equal(found[name], right[name]) for name in found)
    assert any("earlier save" in change.why for change in report.changes)


def test_different_weights_whose_dates_tell_nothing_are_refused(copy: Copy, tmp_path: Path) -> None:
    source = copy(TIED)
    with_another_safetensors(source)
    date(source, model=1000, pytorch_model=3000, optimizer=2000)
    with pytest.raises(DamagedError, match="different weights"):
        repair(source, tmp_path / "fixed")


def test_a_part_of_a_storage_stays_in_the_format_that_every_release_loads(
    copy: Copy, tmp_path: Path
) -> None:
    source = copy(TIED)
    path = source / "pytorch_model.bin"
    archive = rewriting_archives.read(path)
    items = [(name, node) for name, node in archive.root.items if name != "head.weight"]
    node = items[0][1]
    node.args = (node.args[0], 4, (6, 4), (4, 1), False, node.args[5])
    archive.root.items[:] = items
    rewrite(path, archive.root, archive)
    assert repair(source, tmp_path / "fixed").weights == ("bin",)


def test_what_is_not_contiguous_is_written_in_order(copy: Copy, tmp_path: Path) -> None:
    source = copy(TIED)
    path = source / "pytorch_model.bin"
    archive = rewriting_archives.read(path)
    items = [(name, node) for name, node in archive.root.items if name != "head.weight"]
    node = items[0][1]
    straight = b"".join(rewriting_tensors.read_archive(path)["emb.weight"].chunks())
    node.args = (node.args[0], 0, (4, 7), (1, 4), False, node.args[5])
    archive.root.items[:] = items
    rewrite(path, archive.root, archive)
    repair(source, tmp_path / "fixed", RepairOptions(weights=WantedWeights.BOTH))
    found = rewriting_tensors.read_safetensors(tmp_path / "fixed" / "model.safetensors")[
        "emb.weight"
    ]
    rows = [struct.unpack("<4f", straight[i : i + 16]) for i in range(0, len(straight), 16)]
    assert found.shape == (4, 7)
    assert struct.unpack("<28f", b"".join(found.chunks())) == tuple(
        row[column] for column in range(4) for row in rows
    )


def test_weights_with_extra_state_are_carried_over(copy: Copy, tmp_path: Path) -> None:
    source = copy(TIED)
    path = source / "pytorch_model.bin"
    archive = rewriting_archives.read(path)
    archive.root["0._extra_state"] = {"seen": 3}
    rewrite(path, archive.root, archive)
    report = repair(source, tmp_path / "fixed")
    assert "pytorch_model.bin" in report.carried
    assert any("more than tensors" in item.why for item in report.limits)
    with pytest.raises(UsageError, match="more than tensors"):
        repair(source, tmp_path / "both", RepairOptions(weights=WantedWeights.BOTH))


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


def test_other_kinds_of_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "trainer_state.json").write_text("{}")
    with pytest.raises(UsageError, match="Trainer"):
        repair(tmp_path / "trainer", tmp_path / "fixed")


def test_large_tensors_are_streamed(copy: Copy, tmp_path: Path) -> None:
    source = copy(KOHYA)
    size = 64 << 20
    data = one_tensor("large", "F32", [size // 4], bytes(size))
    (source / "model.safetensors").write_bytes(data)
    del data
    tracemalloc.start()
    repair(source, tmp_path / "fixed")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 2


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(PLAIN)
def test_plain_graphs_are_what_pickle_says(value: object) -> None:
    assert rewriting_pickles.graph_of(read_pickle(pickle.dumps(value, 2))) == value
    assert pickle.loads(rewriting_pickles.dumps(value)) == value


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_graph_or_an_unpickling_error(data: bytes) -> None:
    with contextlib.suppress(pickle.UnpicklingError):
        rewriting_pickles.graph_of(read_pickle(data))
