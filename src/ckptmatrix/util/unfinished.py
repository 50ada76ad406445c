"""Files and folders in the making: marked by their names, and locked by whoever makes them.

Whoever is killed leaves them behind, but no lock: the kernel opens it. So what is marked and not
locked belongs to nobody, and `sweep` removes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MARK = ".ckptmatrix-"


@contextmanager
def folder_in(parent: Path) -> Iterator[Path]:
    """A new folder that is removed at the end, unless it was renamed to its place by then.

    Raises:
        OSError: it cannot be made there.
    """
    parent.mkdir(parents=True, exist_ok=True)
    while True:
        place = Path(tempfile.mkdtemp(dir=parent, prefix=_MARK))
        handle = os.open(place, os.O_RDONLY)
        if _lock(handle, place):
            break
        os.close(handle)  # swept between its making and its locking
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


@contextmanager
def file_for(path: Path) -> Iterator[tuple[int, Path]]:
    """A new file beside `path`, open for writing; removed at the end, unless it was renamed.

    Raises:
        OSError: it cannot be made there.
    """
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{_MARK}{path.name}-")
        place = Path(name)
        if _lock(handle, place):
            break
        os.close(handle)
    try:
        yield handle, place
    finally:
        place.unlink(missing_ok=True)
        os.close(handle)


def temporary_folder() -> Path:
    """The machine's folder for temporary files, whose name is short enough for sockets."""
    return Path(tempfile.gettempdir())


def empty(folder: Path) -> None:
    """Remove all that lies in a folder.

    Raises:
        OSError: something cannot be removed.
    """
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def sweep(folders: Iterable[Path]) -> int:
    """Remove what nobody finishes any more.

    Args:
        folders: where to look; one that is not there has nothing.

    Returns:
        How many files and folders were removed.
    """
    return sum(map(_removed, unfinished(folders)))


def unfinished(folders: Iterable[Path]) -> list[Path]:
    """What is marked in folders, whether somebody still works on it or not."""
    found = []
    for folder in folders:
        with suppress(OSError):
            found += [path for path in folder.iterdir() if path.name.startswith(_MARK)]
    return found


def _removed(path: Path) -> bool:
    """Remove it, unless somebody still works on it or it is another user's."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if os.fstat(handle).st_uid != os.geteuid() or not _lock(handle, path):
            return False
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    finally:
        os.close(handle)
    return not path.exists()


def _lock(handle: int, path: Path) -> bool:
    """Whether it is ours now, and still there; held until the handle is closed."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(handle).st_ino == path.stat().st_ino
    except OSError:
        return False
