"""Files of `torch.save` as graphs with storages: opened without torch, written record by record.

Written is: `PREFIX/data.pkl`, one uncompressed record `PREFIX/data/KEY` for each storage, `version`
and `byteorder`; the data of a record begins at a multiple of 64 bytes (torch's
`caffe2/serialize/inline_container.cc`).
"""

import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from ckptmatrix.checkpoint.format import rewriting_pickles
from ckptmatrix.checkpoint.format.archive import Record
from ckptmatrix.checkpoint.format.opening import UnreadableError, UnreadError, open_file
from ckptmatrix.checkpoint.format.pickles import OPCODE_LIMIT
from ckptmatrix.checkpoint.format.safety import Rating, rate
from ckptmatrix.checkpoint.format.torch_file import read_torch_file
from ckptmatrix.errors import CkptmatrixError

CHUNK = 4 << 20
"""Bytes read or written at once."""


class DamagedError(CkptmatrixError):
    """A file of the checkpoint is truncated, damaged or of a kind that can't be read safely."""


class DangerousError(CkptmatrixError):
    """A file names what runs code, or was not read to its end and may."""


@dataclass(frozen=True)
class Archive:
    """A file that `torch.save` wrote."""

    path: Path
    """The file."""
    root: Any
    """The graph of its pickle."""
    records: Mapping[str, Record]
    """Key of a storage -> where it lies in the file."""
    dangerous: tuple[str, ...] = ()
    """Names in its pickle that run code, or may, wherever they are in it."""
    opcodes: int = 0
    """How many opcodes of its pickle were followed."""

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Key of a storage -> bytes of its record."""
        return {key: record.size for key, record in self.records.items()}

    @cached_property
    def budget(self) -> int:
        """Bytes that its tensors may come to: expanded and shared ones come to more than it has."""
        return (1 << 20) + 16 * sum(self.sizes.values())

    def chunks(self, key: str) -> Iterator[bytes]:
        """Bytes of a storage, piece by piece, checked against the archive's checksum.

        Raises:
            DamagedError: it does not match.
        """
        record, found = self.records[key], 0
        for chunk in self.part(key, 0, record.size):
            found = zlib.crc32(chunk, found)
            yield chunk
        if record.crc is not None and found != record.crc:
            raise DamagedError(
                f"{self.path.name} is damaged: record data/{key} does not match its checksum.",
                "Copy it again, or take an earlier one.",
            )

    def part(self, key: str, start: int, size: int) -> Iterator[bytes]:
        """`size` bytes of a storage from byte `start` on."""
        if not size:
            return
        with opened(self.path) as file:
            file.seek(self.records[key].offset + start)
            while size > 0 and (chunk := file.read(min(size, CHUNK))):
                size -= len(chunk)
                yield chunk

    def check(self) -> None:
        """Read every storage once.

        Raises:
            DamagedError: one does not match its checksum.
        """
        for key in self.records:
            for _ in self.chunks(key):
                pass

    @property
    def storages(self) -> dict[str, rewriting_pickles.Storage]:
        """Key -> storage, for all that the pickle refers to."""
        nodes = rewriting_pickles.walk(self.root)
        return {node.key: node for node in nodes if isinstance(node, rewriting_pickles.Storage)}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file of a checkpoint, opened for reading.

    Raises:
        DamagedError: it is not there, no regular file, or a link out of the checkpoint.
    """
    try:
        with open_file(path) as stream:
            yield stream
    except UnreadableError as error:
        raise DamagedError(f"{path.name} {error}.", "Make it a file of the directory.") from error


@contextmanager
def understood(name: str) -> Iterator[None]:
    """Turn whatever a file's content makes go wrong into an error that names the file.

    Raises:
        DamagedError: in place of anything that is no error of this project.
    """
    try:
        yield
    except CkptmatrixError:
        raise
    except Exception as error:  # a forged file can be wrong in any way
        raise DamagedError(
            f"{name} holds something else than a checkpoint does ({type(error).__name__}).",
            "`ckptmatrix inspect` says what is in it.",
        ) from error


def read(path: Path, limit: int = OPCODE_LIMIT) -> Archive:
    """Open a file of torch's; its storages are checked to lie within their records, and not read.

    Args:
        path: the file.
        limit: how many opcodes of its pickle are followed.

    Raises:
        DangerousError: it was not read to its end, so another program may see what was not seen.
        DamagedError: it can't be read, or is none.
    """
    with opened(path) as stream:
        try:
            archive, structure = read_torch_file(stream, limit)
        except UnreadError as error:
            raise _unread(path, str(error)) from error
        except UnreadableError as error:
            raise _damaged(path, str(error)) from error
    rated, forged = rate(structure)
    problem = archive.problem or structure.problem
    if problem and not (structure.truncated or archive.problem):
        raise _unread(path, problem)
    if problem or forged:
        raise _damaged(path, problem or forged)
    try:
        root = rewriting_pickles.graph_of(structure)
    except pickle.UnpicklingError as error:
        raise _damaged(path, f"is of a kind that is not understood ({error})") from error
    start = "data/"
    records = {
        name.removeprefix(start): record
        for name, record in archive.records.items()
        if name.startswith(start)
    }
    dangerous = tuple(name for name, level in rated.items() if level is Rating.DANGEROUS)
    return Archive(path, root, records, dangerous, structure.opcodes)


def _damaged(path: Path, problem: str) -> DamagedError:
    return DamagedError(
        f"{path.name} {problem}.",
        "Copy it again, or take an earlier checkpoint; what is missing can't be made up.",
    )


def _unread(path: Path, problem: str) -> DangerousError:
    return DangerousError(
        f"{path.name} {problem}: not read to its end, so it has to be taken for dangerous.",
        "Load it nowhere, unless you know who wrote it and how.",
    )


def write(
    path: Path, root: Any, records: Mapping[str, tuple[int, Callable[[], Iterable[bytes]]]]
) -> None:
    """Write an archive.

    Args:
        path: the new file.
        root: graph of its pickle.
        records: key of a storage -> its size in bytes and a function that gives them in pieces.
    """
    pickled = rewriting_pickles.dumps(root)
    plain = {"version": b"3\n", "byteorder": b"little", "data.pkl": pickled}
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as file:
        for name, content in plain.items():
            _write_record(file, name, len(content), [content])
        for key, (size, chunks) in records.items():
            _write_record(file, f"data/{key}", size, chunks())


def _write_record(file: zipfile.ZipFile, name: str, size: int, chunks: Iterable[bytes]) -> None:
    info = zipfile.ZipInfo(f"archive/{name}")
    info.file_size = size
    large = size * 1.05 > zipfile.ZIP64_LIMIT  # when zipfile adds its own extra field
    position = (file.fp.tell() if file.fp else 0) + 30 + len(info.filename) + (20 if large else 0)
    padding = -(position + 4) % 64
    info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding  # torch's own filler
    with file.open(info, "w") as record:
        for chunk in chunks:
            record.write(chunk)
