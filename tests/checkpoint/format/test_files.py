"""Archives, headers and opening: truncated, huge, faked, linked elsewhere."""

import io
import math
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptmatrix.checkpoint.format.archive import DIRECTORY_LIMIT, read_archive
from ckptmatrix.checkpoint.format.opening import UnreadableError, open_inside
from ckptmatrix.checkpoint.format.safetensors import HEADER_LIMIT, read_header
from ckptmatrix.checkpoint.format.torch_file import read_torch_file
from tests.support.places import BY_TRAINING_STACK
from tests.support.torch_files import safetensors, torch_file, torch_zip

T = TypeVar("T")

OPTIMIZER = (BY_TRAINING_STACK / "lora-000030-state" / "optimizer.bin").read_bytes()
WEIGHTS = (BY_TRAINING_STACK / "lora-000030-state" / "model.safetensors").read_bytes()


def _on(tmp_path: Path, reader: Callable[[BinaryIO], T], data: bytes) -> T:
    """What a reader makes of some bytes in a real file."""
    (tmp_path / "file").write_bytes(data)
    with open_inside(tmp_path, "file") as stream:
        return reader(stream)


def test_a_real_archive(tmp_path: Path) -> None:
    archive = _on(tmp_path, read_archive, OPTIMIZER)
    assert archive.pickle.startswith(b"\x80\x02")
    assert archive.records["data/0"].size == 4


@pytest.mark.parametrize("cut", [0, 1, 30, 500, 1000, len(OPTIMIZER) - 22, len(OPTIMIZER) - 1])
def test_every_truncation_of_an_archive_is_said(tmp_path: Path, cut: int) -> None:
    with pytest.raises(UnreadableError, match=r"empty|truncated|damaged|torch file"):
        _on(tmp_path, read_archive, OPTIMIZER[:cut])


@settings(deadline=None)
@given(at=st.integers(0, len(OPTIMIZER) - 1), byte=st.integers(0, 255))
def test_any_damage_to_an_archive_is_survived(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    data = OPTIMIZER[:at] + bytes([byte]) + OPTIMIZER[at + 1 :]
    with suppress(UnreadableError):
        _on(tmp_path_factory.getbasetemp(), read_archive, data)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_as_archive_or_header_are_survived(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    for reader in (read_archive, read_header):
        for prefix in (b"", b"PK\x03\x04"):
            with suppress(UnreadableError):
                _on(tmp_path_factory.getbasetemp(), reader, prefix + data)


def test_a_packed_record_is_refused_unread(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(200 << 20))
    with pytest.raises(UnreadableError, match="packed"):
        _on(tmp_path, read_archive, packed.getvalue())


def test_a_huge_directory_is_refused_unread(tmp_path: Path) -> None:
    data = torch_file({})
    at = data.rfind(b"PK\x05\x06")
    claimed = (DIRECTORY_LIMIT + 1).to_bytes(4, "little")
    with pytest.raises(UnreadableError, match="zip directory"):
        _on(tmp_path, read_archive, data[: at + 12] + claimed + data[at + 16 :])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (bytes(1000), "zero bytes"),
        (b"\x80\x02}.", "bare pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "page of HTML"),
        (b"hello world", "not read to its end"),
        (b"words", "no torch file"),
    ],
)
def test_other_kinds_are_named(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        _on(tmp_path, read_torch_file, data)


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(UnreadableError, match="does not write"):
        _on(tmp_path, read_archive, packed.getvalue())


def test_a_real_header(tmp_path: Path) -> None:
    header = _on(tmp_path, read_header, WEIGHTS)
    assert {spec.name: spec.shape for spec in header.tensors}["0.weight"] == (8, 4)
    assert header.metadata == {"format": "pt"}
    assert header.problem == ""


@pytest.mark.parametrize("cut", range(0, len(WEIGHTS), 7))
def test_every_truncation_of_a_header_is_said(tmp_path: Path, cut: int) -> None:
    try:
        said = _on(tmp_path, read_header, WEIGHTS[:cut]).problem
    except UnreadableError as error:
        said = str(error)
    assert said


_NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__")


@settings(deadline=None)
@given(st.dictionaries(_NAMES, st.lists(st.integers(0, 9), max_size=3), max_size=5))
def test_headers_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, list[int]]
) -> None:
    tensors = {name: ("F32", shape, 4 * math.prod(shape)) for name, shape in shapes.items()}
    header = _on(tmp_path_factory.getbasetemp(), read_header, safetensors(tensors))
    assert {spec.name: list(spec.shape) for spec in header.tensors} == shapes
    assert header.problem == ""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ((HEADER_LIMIT + 1).to_bytes(8, "little") + bytes(HEADER_LIMIT + 1), "header of"),
        (b"\xff" * 8 + b"{}", "no safetensors"),
        ((2).to_bytes(8, "little") + b"[]", "no valid description"),
        ((8).to_bytes(8, "little") + b'{"\xc3":{}}', "no valid description"),
        ((30_000).to_bytes(8, "little") + b"[" * 30_000, "no valid description"),
        (torch_zip(b"N."), "under the name of a safetensors"),
        (safetensors({"x": ("F32", [2] * 100, 4)}), "dimensions"),
    ],
)
def test_hostile_headers_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnreadableError, match=said):
        _on(tmp_path, read_header, data)


def test_missing_tensor_data_is_said(tmp_path: Path) -> None:
    data = safetensors({"x": ("F32", [4], 16)}, missing=3)
    assert "13 of 16" in _on(tmp_path, read_header, data).problem


@pytest.mark.parametrize("kind", ["link out", "link in", "fifo", "folder", "nothing", "loop"])
def test_only_regular_files_inside_are_opened(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    (root / "inside").write_text("inside")
    target = root / "file"
    makers: dict[str, Callable[[], object]] = {
        "link out": lambda: target.symlink_to(tmp_path / "secret"),
        "link in": lambda: target.symlink_to("inside"),
        "fifo": lambda: os.mkfifo(target),
        "folder": target.mkdir,
        "nothing": lambda: None,
        "loop": lambda: target.symlink_to("file"),
    }
    makers[kind]()
    if kind == "link in":
        with open_inside(root, "file") as stream:
            assert stream.read() == b"inside"
        return
    with pytest.raises(UnreadableError), open_inside(root, "file"):
        pass


def test_a_name_cannot_climb_out(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("secret")
    with (
        pytest.raises(UnreadableError, match="out of the directory"),
        open_inside(tmp_path / "root", "../secret"),
    ):
        pass
