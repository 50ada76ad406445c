"""What `torch.load` takes: the zip archive, and torch's formats from before 1.6.

The format that torch wrote up to 1.5, and writes still if it is asked to, is a row of pickles
(a magic number, the protocol, facts of the machine, the object, the keys of its storages) with the
storages behind them (`torch/serialization.py`, `_legacy_save` and `_legacy_load`). Before it there
was a tar; torch looks for one first, in any file that is no zip.
"""

import tarfile
from dataclasses import replace
from typing import BinaryIO

from ckptmatrix.checkpoint.format.archive import (
    HEAD,
    PICKLE_LIMIT,
    Record,
    TorchArchive,
    read_archive,
)
from ckptmatrix.checkpoint.format.arguments import storage_of
from ckptmatrix.checkpoint.format.dtypes import width_of_storage
from ckptmatrix.checkpoint.format.inert import Items, Pairs, PickleStructure, pairs_of
from ckptmatrix.checkpoint.format.opcodes import is_pickle
from ckptmatrix.checkpoint.format.opening import UnreadableError, UnreadError, size_of
from ckptmatrix.checkpoint.format.pickles import OPCODE_LIMIT, read_pickle

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_FACTS = {"protocol_version", "little_endian", "type_sizes"}
_PACKERS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_NO_OPCODE = "_pickle.UnpicklingError"
_BLOCK = 512
"""Bytes of a tar's header."""


class BarePickleError(UnreadError):
    """A file is a pickle, and none of torch's.

    Attributes:
        pickle: its structure, as far as it could be followed.
        whole: whether that is all that there is in the file.
    """

    def __init__(self, said: str, pickle: PickleStructure, *, whole: bool = False) -> None:
        super().__init__(said)
        self.pickle, self.whole = pickle, whole


def read_torch_file(
    stream: BinaryIO, limit: int = OPCODE_LIMIT
) -> tuple[TorchArchive, PickleStructure]:
    """Read the description of a file of `torch.save`, in any of its formats.

    Args:
        stream: the file.
        limit: how many opcodes of its pickle are followed.

    Returns:
        The file as it is kept, and the structure of its pickle, which may have a `problem`.

    Raises:
        BarePickleError: it is a pickle, and none of torch's.
        UnreadError: it could not be read, but perhaps torch can.
        UnreadableError: it is empty, truncated or of another kind.
    """
    size = size_of(stream)
    head = stream.read(_BLOCK)
    if head[:4] == HEAD:
        archive = read_archive(stream)
        structure = read_pickle(archive.pickle, limit=limit)
        return archive, _within(structure, archive)
    if not head:
        raise UnreadableError("is empty (0 bytes)", "EOFError")
    if not head.strip(b"\0"):
        # Only its beginning is known to be so; the rest may be anything.
        said = f"holds only zero bytes at its start ({size} bytes; a lost write)"
        # From a whole block of zeros on torch takes it for a tar, and each release fails otherwise.
        raise UnreadableError(said, "" if len(head) == _BLOCK else _NO_OPCODE)
    if _is_tar(head):
        raise UnreadError("is a tar, as torch wrote it before 0.2; it is not read")
    for magic, name in _PACKERS.items():
        if head.startswith(magic):
            raise UnreadError(f"is packed ({name}); it is not read")
    if not is_pickle(head):
        raise UnreadableError(_other_kind(head), _NO_OPCODE)
    stream.seek(0)
    return _old(stream, stream.read(PICKLE_LIMIT + 1), size, limit)


def _other_kind(head: bytes) -> str:
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of git LFS, not the file itself; `git lfs pull` fetches it"
    if head.lstrip()[:1] == b"<":
        return "is a page of HTML or XML, such as an error page of a failed download"
    return "is no torch file (it begins neither as a zip nor as a pickle)"


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _within(structure: PickleStructure, archive: TorchArchive) -> PickleStructure:
    """The structure, with a problem if a storage is not whole in its record."""
    if structure.problem:
        return structure
    for stored in structure.stored:
        storage = storage_of(stored)
        if storage is None:
            continue
        kind, key, count = storage
        record = archive.records.get(f"data/{key}")
        if record is None:
            problem = f"lacks the numbers of a tensor (record data/{key[:40]})"
            return replace(structure, problem=problem, truncated=True)
        if count * width_of_storage(kind) > record.size:
            problem = f"is damaged: its record data/{key[:40]} is too short"
            return replace(structure, problem=problem, truncated=True)
    return structure


def _old(
    stream: BinaryIO, data: bytes, size: int, limit: int
) -> tuple[TorchArchive, PickleStructure]:
    """The pickles of the format from before 1.6, and where the storages behind them are."""
    first = read_pickle(data, alone=False, limit=limit)
    if first.problem or first.value != _MAGIC or first.calls:
        whole = read_pickle(data, limit=limit) if size <= PICKLE_LIMIT else first
        if size > PICKLE_LIMIT or whole.problem:
            raise BarePickleError(f"was not read to its end ({whole.problem or 'too long'})", whole)
        raise BarePickleError("is a bare pickle, not written by torch.save", whole, whole=True)
    at = first.end
    found: list[PickleStructure] = []
    starts: list[int] = []
    for _ in range(4):
        starts.append(at)
        found.append(read_pickle(data[at:], alone=False, limit=limit))
        if found[-1].problem:
            raise BarePickleError(f"was not read to its end ({found[-1].problem})", found[-1])
        at += found[-1].end
    protocol, facts, value, keys = found
    if protocol.value != _PROTOCOL or any(one.calls or one.globals for one in (protocol, facts)):
        raise BarePickleError("begins as torch's old format and goes on otherwise", value)
    said = dict(pair for pair in pairs_of(facts.value) if isinstance(pair[0], str))
    sizes = said.get("type_sizes")
    plain = isinstance(sizes, Pairs) and all(type(size) is int for _, size in sizes.values)
    if set(said) != _FACTS or not plain or said["little_endian"] is not True:
        raise BarePickleError("begins as torch's old format and goes on otherwise", value)
    records = _behind(stream, at, size, value, keys)
    pickle = data[starts[2] : starts[3]]
    archive = TorchArchive(pickle, records, old=True)
    return archive, _within(value, archive)


def _behind(
    stream: BinaryIO, at: int, size: int, value: PickleStructure, keys: PickleStructure
) -> dict[str, Record]:
    """Name -> piece of the file, for each storage: 8 bytes for its length, then its numbers."""
    widths: dict[str, int] = {}
    for stored in value.stored:
        storage = storage_of(stored)
        if storage is None:
            raise BarePickleError("holds an object in torch's oldest form; not read", value)
        widths[storage[1]] = width_of_storage(storage[0])
    listed = keys.value.values if isinstance(keys.value, Items) else None
    if listed is None or keys.calls or not all(isinstance(key, str) for key in listed):
        raise BarePickleError("begins as torch's old format and goes on otherwise", value)
    records = {}
    for key in listed:
        stream.seek(at)
        length = int.from_bytes(stream.read(8), "little") * widths.get(key, 1)
        if at + 8 + length > size:
            said = f"is truncated (record {key[:40]!r} ends after the file)"
            raise UnreadableError(said, "RuntimeError")
        records[f"data/{key}"] = Record(at + 8, length)
        at += 8 + length
    if at != size or len(records) != len(listed):
        raise BarePickleError("holds more than torch's old format has", value)
    return records
