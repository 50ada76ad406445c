"""Weights of repaired copies: equal in both formats, whole, and of the last save."""

import json
import os
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors

from ckptmatrix.checkpoint.format import rewriting_archives, rewriting_tensors
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError
from ckptmatrix.checkpoint.repair import RepairOptions, repair
from ckptmatrix.checkpoint.repair.weight_files import WantedWeights
from ckptmatrix.errors import UsageError
from tests.checkpoint.repair.copies import KOHYA, TIED, TWO, Copy, one_tensor, rewrite, tree

deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize


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
