"""Opening files of a directory that may be hostile."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

HUB_BLOBS = "blobs"
"""The folder of a hub cache that files of its `snapshots/REVISION/` are links into."""


class UnreadableError(Exception):
    """Why a file of a checkpoint is not, or not wholly, read; one clause without a full stop.

    The file is damaged: no program can make anything of it.

    Attributes:
        raises: how the exception begins that its loader raises, `Type` or `Type: message`; empty
            where that is not known.
    """

    def __init__(self, said: str, raises: str = "") -> None:
        super().__init__(said)
        self.raises = raises


class UnreadError(UnreadableError):
    """A file that was not read to its end, though another program may read it, and may see other
    content in it; so it counts as dangerous."""


class AbsentError(UnreadableError):
    """There is no such file, or a link to it leads nowhere or out of the checkpoint."""


def hub_cache(root: Path) -> Path | None:
    """The `blobs` folder of the hub cache that a directory lies in; None if it lies in none.

    A cache is `models--NAME/{blobs,refs,snapshots/REVISION/...}` (huggingface_hub). Its folder of
    blobs is no link: that could lead anywhere.
    """
    try:
        base = root.resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    for folder in base.parents:
        blobs = folder.parent / HUB_BLOBS
        if folder.name == "snapshots" and blobs.is_dir() and not blobs.is_symlink():
            return blobs
    return None


@contextmanager
def open_inside(root: Path, relative: str) -> Iterator[BinaryIO]:
    """Open a regular file that lies inside `root`, for reading.

    A link is followed only if it ends inside `root`, or in the blobs of the hub cache that `root`
    lies in; the last component is then opened without following links, and without waiting, so
    that a fifo cannot hang the caller.

    Args:
        root: directory of the checkpoint.
        relative: path of the file below it, with `/`.

    Raises:
        AbsentError: not there, or a link that leads nowhere or out of the checkpoint.
        UnreadableError: no regular file, or not permitted.
    """
    try:
        base = root.resolve(strict=True)
        target = (base / relative).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raises = "FileNotFoundError" if isinstance(error, FileNotFoundError) else ""
        raise AbsentError(f"cannot be reached ({type(error).__name__})", raises) from error
    blobs = None if target.is_relative_to(base) else hub_cache(base)
    if not target.is_relative_to(base) and (blobs is None or target.parent != blobs):
        raise AbsentError("is a link out of the directory, not followed")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(target, flags)
    except OSError as error:
        raise UnreadableError(f"cannot be opened ({error.strerror})") from error
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError as error:
        os.close(descriptor)
        raise UnreadableError(f"cannot be opened ({error.strerror})") from error
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UnreadableError("is no regular file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open one file of a checkpoint, as `open_inside` of the folder that it lies in.

    Raises:
        UnreadableError: as there.
    """
    with open_inside(path.parent, path.name) as stream:
        yield stream


def read_small(path: Path, limit: int) -> bytes:
    """The whole of a small file.

    Raises:
        UnreadableError: as for `open_inside`, or it is larger than `limit` bytes.
    """
    with open_file(path) as stream:
        if size_of(stream) > limit:
            raise UnreadError(f"has {size_of(stream)} bytes; {limit} are read")
        return stream.read(limit)


def size_of(stream: BinaryIO) -> int:
    """Size of an open file in bytes; sparse ones count as long as they claim to be."""
    return os.fstat(stream.fileno()).st_size
