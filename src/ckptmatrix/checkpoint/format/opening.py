"""Opening files of a directory that may be hostile."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class UnreadableError(Exception):
    """Why a file of a checkpoint is not, or not wholly, read; one clause without a full stop."""


@contextmanager
def open_inside(root: Path, relative: str) -> Iterator[BinaryIO]:
    """Open a regular file that lies inside `root`, for reading.

    A link is followed only if it ends inside `root`; the last component is then opened without
    following links, and without waiting, so that a fifo cannot hang the caller.

    Args:
        root: directory of the checkpoint.
        relative: path of the file below it, with `/`.

    Raises:
        UnreadableError: a link that leaves `root`, no regular file, or not permitted.
    """
    try:
        base = root.resolve(strict=True)
        target = (base / relative).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UnreadableError(f"cannot be reached ({type(error).__name__})") from error
    if not target.is_relative_to(base):
        raise UnreadableError("is a link out of the directory, not followed")
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


def size_of(stream: BinaryIO) -> int:
    """Size of an open file in bytes; sparse ones count as long as they claim to be."""
    return os.fstat(stream.fileno()).st_size
