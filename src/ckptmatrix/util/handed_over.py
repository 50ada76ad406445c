"""Files that a user hands over (a configuration, a run, a shard), read with bounds.

The one boundary to them: whatever such a file is or holds, what comes of it is the file's content,
or an error that names it. Checkpoints have a boundary of their own, `checkpoint/format`.
"""

import os
import re
import stat
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ckptmatrix.errors import CkptmatrixError, UsageError

TEXT_LIMIT = 4 << 20
"""Bytes of a configuration; the project's own has not a tenth."""
RUN_LIMIT = 1 << 30
"""Bytes of a run's file, unpacked. The default tier has 18 million, or 300 written out."""
RATIO_LIMIT = 200
"""How many times as large as itself a packed file may become; a run's becomes 30 to 50 times."""
_GZIP = b"\x1f\x8b"


@contextmanager
def understood(name: str, remedy: str = "") -> Iterator[None]:
    """Turn whatever a file's content makes go wrong into an error that names the file.

    Raises:
        UsageError: in place of anything that is no error of this project.
    """
    try:
        yield
    except CkptmatrixError:
        raise
    except Exception as error:
        what = "is nested too deep" if isinstance(error, RecursionError) else "was not understood"
        said = f" ({type(error).__name__}: {str(error)[:200]})"
        raise UsageError(f"{name} {what}{'' if 'deep' in what else said}", remedy) from error


def read_whole(path: Path, limit: int) -> bytes:
    """The content of a regular file; anything else is not opened, as a pipe would wait.

    Raises:
        OSError: it cannot be read.
        UsageError: it is larger than `limit` bytes, or no file.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is no regular file", "name a file")
        if status.st_size > limit:
            raise UsageError(
                f"{path} has {status.st_size:,} bytes; {limit:,} are read", "is it the right file?"
            )
        return stream.read(limit)


def read_text(path: Path, limit: int = TEXT_LIMIT) -> str:
    """A configuration, of `limit` bytes at the most.

    Raises:
        OSError, UsageError: as for `read_whole`.
        UnicodeDecodeError: it is no UTF-8.
    """
    return read_whole(path, limit).decode("utf-8")


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        tomllib.TOMLDecodeError: it is none.
        ValueError: a key has more than a hundred parts; tomllib takes time by their square.
        RecursionError: it is nested too deep.
    """
    if _LONG_KEY.search(_STRING.sub("x", text)):
        raise ValueError("a key has more than a hundred parts")
    return tomllib.loads(text)


_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"?|\'[^\'\n]*\'?')
"""Of one line; one that is not closed reaches to the line's end, so that each is looked at once."""
_LONG_KEY = re.compile(r"(?<![\w.-])(?:[\w-]+[ \t]*\.[ \t]*){100}")


def read_packed(path: Path) -> bytes:
    """A file that may be packed by gzip, unpacked.

    Raises:
        OSError, UsageError: as for `read_whole`, or it becomes larger than a run does.
        EOFError, zlib.error: it is cut short, or damaged.
    """
    data = read_whole(path, RUN_LIMIT)
    if not data.startswith(_GZIP):
        return data
    limit = min(RUN_LIMIT, max(TEXT_LIMIT, RATIO_LIMIT * len(data)))
    found = bytearray()
    while data.startswith(_GZIP):  # members may follow each other
        unpacker = zlib.decompressobj(wbits=31)
        found += unpacker.decompress(data, limit - len(found) + 1)
        if len(found) > limit:
            raise UsageError(f"{path} unpacks to more than {limit:,} bytes", "is it of a run?")
        if not unpacker.eof:
            raise EOFError("it is cut short")
        data = unpacker.unused_data
    return bytes(found)
