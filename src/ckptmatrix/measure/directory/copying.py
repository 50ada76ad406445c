"""The copy that is tried: what readers look for, and nothing else; the directory is only read."""

import os
import re
import shutil
from pathlib import Path

from ckptmatrix.checkpoint.format.listing import listing
from ckptmatrix.checkpoint.format.names import FileKind, is_shard, kind_of, weights_file
from ckptmatrix.checkpoint.format.opening import UnreadableError, open_inside
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.errors import NothingRanError

_READ = frozenset(FileKind) - {FileKind.SAMPLER, FileKind.DATALOADER}
"""What readers read; the place in the data needs a dataset."""

_COPIES = 6
"""Copies of the state that a load with all comparing holds at its most, as measured."""
_WORKER_BYTES = 500_000_000
"""What a worker takes before it has loaded anything."""

Snapshot = dict[str, tuple[int, int]]
"""Name -> size and time of the last change, in nanoseconds."""


def wanted(facts: Facts, hooked: tuple[str, ...]) -> tuple[str, ...]:
    """Files that `load_state` or the script's hooks read, as far as they are stood in for."""
    return tuple(file.name for file in facts.files if file.name in hooked or _is_read(file.name))


def _is_read(name: str) -> bool:
    found = kind_of(name)
    weights = weights_file(name) is not None or is_shard(name)
    return weights or (found is not None and found[0] in _READ)


def check_room(place: Path, size: int) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        NothingRanError: fewer than `size` bytes are free at `place`.
    """
    free = shutil.disk_usage(place).free
    if free < size:
        raise NothingRanError(
            f"the copies need {size / 1e9:.2g} GB, and {place} has {free / 1e9:.2g} GB free",
            "set TMPDIR to a place with more room",
        )


def at_a_time(size: int, jobs: int) -> int:
    """How many environments the memory has room for.

    Args:
        size: bytes of what is loaded.
        jobs: how many there shall be at most.

    Raises:
        NothingRanError: not even one.
    """
    free = _free_memory()
    fitting = jobs if free is None else min(jobs, free // (_WORKER_BYTES + _COPIES * size))
    if fitting < 1:
        raise NothingRanError(
            f"loading and comparing takes about {_COPIES} times the size of the files in memory, "
            f"{_COPIES * size / 1e9:.2g} GB, and {(free or 0) / 1e9:.2g} GB are free",
            "try it on a machine with more memory",
        )
    return fitting


def _free_memory() -> int | None:
    """Bytes that programs can have without swapping; None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def copy(source: Path, files: tuple[str, ...], target: Path) -> None:
    """Copy files with their dates; links are followed inside `source` alone.

    Raises:
        NothingRanError: a file cannot be read.
    """
    for name in files:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open_inside(source, name) as stream, path.open("xb") as written:
                shutil.copyfileobj(stream, written, 1 << 20)
                status = os.fstat(stream.fileno())
        except (UnreadableError, OSError) as error:
            raise NothingRanError(
                f"{name} cannot be copied: {error}", "make it readable first"
            ) from error
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def snapshot(directory: Path) -> Snapshot:
    """What a directory looks like; equal while nobody writes to it, empty if there is none."""
    return {
        name: (listed.size, int(listed.modified * 1e9))
        for name, listed in listing(directory).files.items()
    }
