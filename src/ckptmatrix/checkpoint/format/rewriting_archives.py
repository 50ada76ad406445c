"""The zip archives that `torch.save` writes: opened without torch, written record by record.

Format: `PREFIX/data.pkl`, one uncompressed record `PREFIX/data/KEY` for each storage, `version` and
`byteorder`; the data of a record begins at a multiple of 64 bytes (torch's
`caffe2/serialize/inline_container.cc`).
"""

import pickle
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format import rewriting_pickles
from ckptmatrix.checkpoint.format.dtypes import width_of_storage
from ckptmatrix.errors import CkptmatrixError

CHUNK = 4 << 20
"""Bytes read or written at once."""


class DamagedError(CkptmatrixError):
    """A file of the checkpoint is truncated, damaged or of a kind that can't be read safely."""


@dataclass(frozen=True)
class Archive:
    """A file that `torch.save` wrote."""

    path: Path
    """The file."""
    prefix: str
    """First part of every record's name, with its slash."""
    root: Any
    """The graph of its pickle."""
    sizes: Mapping[str, int]
    """Key of a storage -> bytes of its record."""

    def chunks(self, key: str) -> Iterator[bytes]:
        """Bytes of a storage, piece by piece, checked against the archive's checksum."""
        return self._pieces(f"{self.prefix}data/{key}", 0, self.sizes[key])

    def part(self, key: str, start: int, size: int) -> Iterator[bytes]:
        """`size` bytes of a storage from byte `start` on."""
        return self._pieces(f"{self.prefix}data/{key}", start, size)

    def _pieces(self, name: str, start: int, size: int) -> Iterator[bytes]:
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as record:
                if start:
                    record.seek(start)
                while size > 0 and (chunk := record.read(min(size, CHUNK))):
                    size -= len(chunk)
                    yield chunk
        except zipfile.BadZipFile as error:
            raise DamagedError(
                f"{self.path.name} is damaged: {error}.", "Copy it again, or take an earlier one."
            ) from error

    def check(self) -> None:
        """Read every storage once.

        Raises:
            DamagedError: one does not match its checksum.
        """
        for key in self.sizes:
            for _ in self.chunks(key):
                pass

    @property
    def storages(self) -> dict[str, rewriting_pickles.Storage]:
        """Key -> storage, for all that the pickle refers to."""
        nodes = rewriting_pickles.walk(self.root)
        return {node.key: node for node in nodes if isinstance(node, rewriting_pickles.Storage)}


def read(path: Path) -> Archive:
    """Open an archive; its storages are checked to lie within their records, and not read.

    Raises:
        DamagedError: it can't be read, or is none.
    """
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
            names = [info.filename for info in entries if info.filename.endswith("/data.pkl")]
            if len(names) != 1 or any(info.compress_type for info in entries):
                raise DamagedError(f"{path.name} is no archive of the kind that torch.save writes.")
            prefix = names[0].removesuffix("data.pkl")
            byteorder = f"{prefix}byteorder"
            if byteorder in file.namelist() and file.read(byteorder) != b"little":
                raise DamagedError(f"{path.name} was written on a big-endian machine.")
            root = rewriting_pickles.loads(file.read(names[0]))
    except (zipfile.BadZipFile, pickle.UnpicklingError, OSError, NotImplementedError) as error:
        raise DamagedError(
            f"{path.name} is truncated, damaged or older than torch 1.6: {error}.",
            "Take an earlier checkpoint; what is missing can't be made up.",
        ) from error
    start = f"{prefix}data/"
    sizes = {
        info.filename.removeprefix(start): info.file_size
        for info in entries
        if info.filename.startswith(start)
    }
    archive = Archive(path, prefix, root, sizes)
    for key, storage in archive.storages.items():
        if not 0 <= storage.count * width_of_storage(storage.kind.name) <= sizes.get(key, -1):
            raise DamagedError(f"{path.name} is damaged: record data/{key} is too short.")
    return archive


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
