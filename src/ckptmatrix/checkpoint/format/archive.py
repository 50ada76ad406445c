"""The zip archive that `torch.save` writes, accepted in that one layout.

Python's zipfile and torch's miniz find different content in a file that is made for it, so neither
is asked: the records are taken from the file's own end, and every byte must be accounted for. The
end record is last and has no comment; before it, if at all, the zip64 end record and its locator;
before these the directory; before that the records in its order, from byte 0 on and without
gaps, in one folder, stored, and each local header like its entry. (torch's
`caffe2/serialize/inline_container.cc` and miniz 2.1.)

Only headers and `data.pkl`, which describes the rest, are read; the records below `data/` hold the
numbers and are not touched, so size costs nothing.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ckptmatrix.checkpoint.format.opening import UnreadableError, UnreadError, size_of

DIRECTORY_LIMIT = 8 << 20
"""Largest central directory that is read, in bytes; a tensor takes about 100 of them."""
PICKLE_LIMIT = 32 << 20
"""Largest `data.pkl` that is read, in bytes; a tensor takes about 200 of them."""
HEAD = b"PK\x03\x04"
"""How an archive begins."""

_END, _END_64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_ENTRY, _DESCRIPTOR = b"PK\x01\x02", b"PK\x07\x08"
_FLAGS = (0, 0x0008, 0x0800, 0x0808)
"""Bit 3: sizes follow the data; bit 11: names are UTF-8. torch sets both."""
_FOLDER = re.compile(r"[ -.0-~]+", re.ASCII)
_NAMES = re.compile(r"data\.pkl|byteorder|version|\.[ -~]+|data/[ -.0-~]+", re.ASCII)
_FAILED = "RuntimeError: PytorchStreamReader failed reading zip archive"
_NONE_32, _NONE_16 = 0xFFFFFFFF, 0xFFFF


@dataclass(frozen=True)
class Record:
    """A piece of a file."""

    offset: int
    """Where it begins, in bytes."""
    size: int
    """Its length in bytes."""
    crc: int | None = None
    """CRC-32 of its bytes; None where none is kept."""


@dataclass(frozen=True)
class TorchArchive:
    """What a file of `torch.save` says of itself."""

    pickle: bytes
    """How the object is built, without the numbers."""
    records: dict[str, Record]
    """Name without the archive's folder; as `data/0` or `byteorder`."""
    problem: str = ""
    """Why it is not as it was written; empty if nothing was seen."""
    old: bool = False
    """Whether it is in torch's format from before 1.6."""

    @property
    def sizes(self) -> dict[str, int]:
        """Name of a record -> its size in bytes."""
        return {name: record.size for name, record in self.records.items()}


@dataclass(frozen=True)
class _Entry:
    """A line of the directory."""

    name: bytes
    flags: int
    crc: int
    size: int
    offset: int
    wide: bool
    """Whether its sizes or its place need 64 bits."""


def read_archive(stream: BinaryIO, start: int = 0, end: int | None = None) -> TorchArchive:
    """Read the description of an archive.

    Args:
        stream: the file.
        start: where the archive begins in it.
        end: where it ends; None for the end of the file.

    Raises:
        UnreadError: it is a zip in another layout, or larger than the limits.
        UnreadableError: empty, truncated or no zip.
    """
    size = (size_of(stream) if end is None else end) - start
    if size == 0:
        raise UnreadableError("is empty (0 bytes)", "EOFError")
    if _at(stream, start, 4) != HEAD:
        raise UnreadableError("is no torch file (it does not begin as a zip)")
    try:
        directory, offset, count = _directory(stream, start, size)
        records = _records(stream, start, _entries(directory), offset)
        if len(records) != count:
            raise ValueError("its end record counts other records")
        return _described(stream, records)
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise UnreadError(_other(str(error) or type(error).__name__)) from error


def _other(what: str) -> str:
    return f"is a zip that torch.save does not write ({what}); torch may see other content in it"


def _at(stream: BinaryIO, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)


def _directory(stream: BinaryIO, start: int, size: int) -> tuple[bytes, int, int]:
    """The directory right before the end records, where it begins, and how many entries it has."""
    tail = _at(stream, start + max(0, size - 22), 22)
    if len(tail) < 22 or tail[:4] != _END:
        first = max(0, size - (1 << 16) - 22)
        # What begins in the last 21 bytes is no whole end record, to nobody.
        if _at(stream, start + first, size - first).rfind(_END, 0, size - first - 18) >= 0:
            raise UnreadError(_other("something follows its end record"))
        raise UnreadableError("is truncated (the zip has no central directory)", _FAILED)
    disk, disk_2, here, count, length, offset, comment = struct.unpack("<HHHHIIH", tail[4:])
    border = size - 22
    claimed = [(count, _NONE_16), (length, _NONE_32), (offset, _NONE_32)]
    if _at(stream, start + max(0, border - 20), 4) == _LOCATOR:
        border -= 76
        record = _at(stream, start + max(0, border), 76) if border >= 0 else b""
        if len(record) < 76 or record[:4] != _END_64:
            raise ValueError("its zip64 record is not where it belongs")
        rest, *_, disk_64, disk_65, here_64, count, length, offset = struct.unpack(
            "<QHHIIQQQQ", record[4:56]
        )
        place, disks = struct.unpack("<QI", record[64:76])
        if (rest, place, disks, disk_64, disk_65) != (44, border, 1, 0, 0) or here_64 != count:
            raise ValueError("its zip64 record contradicts its place")
        for (value, none), wide in zip(claimed, (count, length, offset), strict=True):
            if value not in (wide, none):
                raise ValueError("its end records contradict each other")
        here = count if here in (count, _NONE_16) else -1
    if (disk, disk_2, comment) != (0, 0, 0) or here != count:
        raise ValueError("its end record has a comment or further disks")
    if length > DIRECTORY_LIMIT:
        raise UnreadError(f"has a zip directory of {length} bytes; {DIRECTORY_LIMIT} are read")
    if offset + length != border:
        raise ValueError("its directory is not right before its end record")
    return _at(stream, start + offset, length), offset, count


def _entries(directory: bytes) -> Iterator[_Entry]:
    at = 0
    while at < len(directory):
        entry, at = _entry(directory, at)
        yield entry


def _entry(data: bytes, at: int) -> tuple[_Entry, int]:
    fixed = data[at : at + 46]
    (
        *_, flags, method, _, _, crc, packed, size, named, extra, comment, disk, _, _, offset,
    ) = struct.unpack("<4sHHHHHHIIIHHHHHII", fixed)  # fmt: skip
    end = at + 46 + named + extra
    if fixed[:4] != _ENTRY or end > len(data):
        raise ValueError("its directory is cut off")
    name = data[at + 46 : at + 46 + named]
    if flags not in _FLAGS or method or comment or disk:
        raise ValueError(f"record {name[:80]!r} is packed or has flags")
    wide = _NONE_32 in (packed, size, offset)
    if wide:
        values = iter(_wide(data[end - extra : end]))
        size = next(values, -1) if size == _NONE_32 else size
        packed = next(values, -1) if packed == _NONE_32 else packed
        offset = next(values, -1) if offset == _NONE_32 else offset
    if packed != size or size < 0 or offset < 0:
        raise ValueError(f"record {name[:80]!r} is packed")
    return _Entry(name, flags, crc, size, offset, wide), end


def _wide(extra: bytes) -> list[int]:
    """The 64-bit values of an entry's extra fields."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        if kind == 1:
            return [value for (value,) in struct.iter_unpack("<Q", extra[4 : 4 + length])]
        extra = extra[4 + length :]
    return []


def _records(
    stream: BinaryIO, start: int, entries: Iterator[_Entry], directory: int
) -> dict[str, Record]:
    """The records, each checked against its local header and its neighbours."""
    records: dict[str, Record] = {}
    known: set[str] = set()
    at, folder = 0, ""
    for entry in entries:
        if entry.offset != at:
            raise ValueError(f"record {entry.name[:80]!r} is not right behind the one before it")
        text = entry.name.decode("ascii")
        folder = folder or text.partition("/")[0]
        if not _FOLDER.fullmatch(folder):
            raise ValueError("it has no folder")
        name = text.removeprefix(f"{folder}/")
        if name == text or not _NAMES.fullmatch(name) or name.lower() in known:
            raise ValueError(f"record {text[:80]!r} is none of torch.save's, or there twice")
        known.add(name.lower())
        begin, at = _local(stream, start, entry)
        records[name] = Record(start + begin, entry.size, entry.crc)
    if at != directory:
        raise ValueError("something lies between its records and its directory")
    return records


def _local(stream: BinaryIO, start: int, entry: _Entry) -> tuple[int, int]:
    """Where the data of a record begins, and where the next record does."""
    fixed = _at(stream, start + entry.offset, 30)
    kind, _, flags, method, _, _, crc, packed, size, named, extra = struct.unpack(
        "<4sHHHHHIIIHH", fixed
    )
    same = (kind, flags, method, stream.read(named)) == (HEAD, entry.flags, 0, entry.name)
    narrow = _NONE_32 if entry.size >= _NONE_32 else entry.size
    sizes = [(entry.crc, narrow, narrow), (entry.crc, _NONE_32, _NONE_32)]
    if entry.flags & 8:
        sizes = [(0, 0, 0), (0, _NONE_32, _NONE_32), *sizes]
    if not same or (crc, packed, size) not in sizes:
        raise ValueError(f"record {entry.name[:80]!r} contradicts its local header")
    begin = entry.offset + 30 + named + extra
    end = begin + entry.size
    if not entry.flags & 8:
        return begin, end
    found = _at(stream, start + end, 24)
    for form in ("<QQ", "<II") if entry.wide else ("<II", "<QQ"):
        length = 8 + struct.calcsize(form)
        if entry.size < 1 << (32 if form == "<II" else 64):
            after = struct.pack("<4sI", _DESCRIPTOR, entry.crc) + struct.pack(
                form, entry.size, entry.size
            )
            if found[:length] == after:
                return begin, end + length
    raise ValueError(f"record {entry.name[:80]!r} contradicts what follows it")


def _described(stream: BinaryIO, records: dict[str, Record]) -> TorchArchive:
    record = records.get("data.pkl")
    if record is None:
        raise ValueError("it has no data.pkl")
    if record.size > PICKLE_LIMIT:
        raise UnreadError(f"has a data.pkl of {record.size} bytes; {PICKLE_LIMIT} are read")
    pickle = _at(stream, record.offset, record.size)
    problem = ""
    if zlib.crc32(pickle) != record.crc:
        problem = "is damaged (data.pkl does not match its checksum)"
    order = records.get("byteorder")
    if order is not None and _at(stream, order.offset, min(order.size, 9)) != b"little":
        problem = problem or "was written on a big-endian machine"
    return TorchArchive(pickle, records, problem)
