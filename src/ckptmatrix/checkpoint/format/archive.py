"""The zip container that `torch.save` writes, read record by record.

Only the directory of the zip and `data.pkl`, which describes the rest, are read; the records below
`data/` hold the numbers and are never touched, so size costs nothing.
"""

import zipfile
from dataclasses import dataclass
from typing import BinaryIO

from ckptmatrix.checkpoint.format.opening import UnreadableError, size_of

DIRECTORY_LIMIT = 32 << 20
"""Largest central directory that is read, in bytes; a tensor takes about 100 of them."""
PICKLE_LIMIT = 32 << 20
"""Largest `data.pkl` that is read, in bytes; a tensor takes about 200 of them."""
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"


@dataclass(frozen=True)
class TorchArchive:
    """What the container says of itself."""

    pickle: bytes
    """The record `data.pkl`: how the object is built, without the numbers."""
    records: dict[str, int]
    """Name without the archive's prefix -> size in bytes; as `data/0` or `byteorder`."""


def read_archive(stream: BinaryIO) -> TorchArchive:
    """Read the description of an archive.

    Raises:
        UnreadableError: empty, truncated, no zip, or larger in its directory than the limits.
    """
    size = size_of(stream)
    if size == 0:
        raise UnreadableError("is empty (0 bytes)")
    head = stream.read(4)
    if head[:2] != b"PK":
        raise UnreadableError(_other_kind(head, size))
    _check_directory(stream, size)
    try:
        with zipfile.ZipFile(stream) as archive:
            return _read_records(archive, size)
    except UnreadableError:
        raise
    # zipfile answers a hostile archive with any of these; whatever it says, the file is damaged.
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
        raise UnreadableError(f"is a damaged zip ({error})") from error
    except (RuntimeError, KeyError, IndexError, OverflowError, LookupError) as error:
        raise UnreadableError(f"is a damaged zip ({type(error).__name__})") from error


def _other_kind(head: bytes, size: int) -> str:
    if head[:1] == b"\x80":
        return "is a bare pickle, as torch before 1.6 wrote it"
    if not head.strip(b"\0"):
        return f"holds only zero bytes at its start ({size} bytes; a preallocated or lost write)"
    return "is no torch file (it does not begin as a zip)"


def _check_directory(stream: BinaryIO, size: int) -> None:
    """Find the end record and refuse a directory that is too large to be read."""
    tail_size = min(size, (1 << 16) + 22 + 76)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    at = tail.rfind(_END)
    if at < 0:
        raise UnreadableError("is truncated (the zip has no central directory)")
    claimed = int.from_bytes(tail[at + 12 : at + 16], "little")
    at_64 = tail.rfind(_END_64)
    if claimed == 0xFFFFFFFF and at_64 >= 0:
        claimed = int.from_bytes(tail[at_64 + 40 : at_64 + 48], "little")
    if claimed > DIRECTORY_LIMIT:
        raise UnreadableError(f"has a zip directory of {claimed} bytes; {DIRECTORY_LIMIT} are read")


def _read_records(archive: zipfile.ZipFile, size: int) -> TorchArchive:
    infos = archive.infolist()
    pickles = [info for info in infos if info.filename.rpartition("/")[2] == "data.pkl"]
    if not pickles:
        raise UnreadableError("is a zip without data.pkl, so not written by torch.save")
    described = min(pickles, key=lambda info: info.filename.count("/"))
    prefix = described.filename[: -len("data.pkl")]
    records: dict[str, int] = {}
    for info in infos:
        if info.header_offset + info.compress_size > size:
            raise UnreadableError(f"is truncated (record {info.filename!r} ends after the file)")
        if info.filename.startswith(prefix):
            name = info.filename[len(prefix) :]
            records[name] = info.file_size
            if not name.startswith("data/") and info.compress_type != zipfile.ZIP_STORED:
                raise UnreadableError(f"packs its record {info.filename!r}, which torch never does")
    return TorchArchive(_read(archive, described), records)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    name, limit = info.filename, PICKLE_LIMIT
    if info.file_size > limit or info.compress_size > limit:
        raise UnreadableError(f"has a record {name!r} of {info.file_size} bytes; {limit} are read")
    with archive.open(info) as record:
        return record.read(limit + 1)


def read_samples(stream: BinaryIO, storages: list[str], size: int) -> dict[str, bytes]:
    """The first bytes of some records below `data/`, unpacked ones only.

    Args:
        stream: an archive that `read_archive` has accepted.
        storages: names of the records.
        size: how many bytes of each.
    """
    samples: dict[str, bytes] = {}
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            name = info.filename.rpartition("/data/")[2]
            if name in storages and info.compress_type == zipfile.ZIP_STORED:
                with archive.open(info) as record:
                    samples[name] = record.read(size)
    return samples
