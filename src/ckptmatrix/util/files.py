"""Files: written so that nobody ever sees half of one, and compared by their content."""

import hashlib
import os
from pathlib import Path

from ckptmatrix.util.unfinished import file_for


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a temporary file beside it; parents are made if missing.

    Args:
        path: the file to write or replace; readers see the old bytes or the new, never a mixture.
        data: the whole content.

    Raises:
        OSError: the directory cannot be written to; `path` is then unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with file_for(path) as (handle, temporary):
        with os.fdopen(handle, "wb", closefd=False) as stream:
            stream.write(data)
        # It was made private; a report is for everybody whom the umask lets read.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def known_sha256_of(*paths: Path) -> str:
    """SHA-256 of files, one after the other, that this process asks for again and again.

    They are read once, and anew when the inode, the size or the time of change (which nobody can
    set) of one differs.

    Raises:
        OSError: one cannot be read.
    """
    states = tuple(map(_state, paths))
    if states not in _KNOWN:
        total = hashlib.sha256()
        for path in paths:
            with path.open("rb") as stream:
                while block := stream.read(_BLOCK):
                    total.update(block)
        _KNOWN[states] = total.hexdigest()
    return _KNOWN[states]


_BLOCK = 2**20
_KNOWN: dict[tuple[tuple[int, int, int, int], ...], str] = {}
"""States of files -> SHA-256 of them, one after the other."""


def _state(path: Path) -> tuple[int, int, int, int]:
    """Hard links to one file share it."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
