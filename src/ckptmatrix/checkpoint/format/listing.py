"""What lies in a directory: names, sizes and kinds; nothing is opened."""

import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ckptmatrix.checkpoint.format.opening import UnreadableError, open_inside

ENTRY_LIMIT = 10_000
"""Files and folders that are looked at in one directory."""
DEPTH_LIMIT = 12
"""How deep folders are entered."""


@dataclass(frozen=True)
class ListedFile:
    """What the listing of a folder says of one file."""

    size: int
    """In bytes; of what a link leads to, if it leads to a file of the checkpoint."""
    modified: float
    """When it was written, in seconds since 1970."""
    problem: str = ""
    """Why it is not opened: a link elsewhere, a device; one clause."""
    raises: str = ""
    """The exception that opening it raises, where it is not opened and that is known."""


@dataclass(frozen=True)
class Listing:
    """A directory and all that lies below it."""

    files: dict[str, ListedFile]
    """Path below it, with `/` -> what it is; sorted."""
    folders: tuple[str, ...]
    """Folders below it, with `/` at the end; sorted."""
    problems: tuple[str, ...]
    """What was not looked at, one clause each."""


def listing(root: Path) -> Listing:
    """List a directory, without opening anything and without following links to folders."""
    files: dict[str, ListedFile] = {}
    folders: list[str] = []
    problems: list[str] = []
    pending = [("", 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            with os.scandir(root / folder) as entries:
                listed = sorted(islice(entries, ENTRY_LIMIT + 1), key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"folder {folder or '.'!r} cannot be listed ({error.strerror})")
            continue
        for entry in listed:
            if len(files) + len(folders) >= ENTRY_LIMIT:
                problems.append(f"more than {ENTRY_LIMIT} files; the others were not looked at")
                return _sorted(files, folders, problems)
            name = folder + entry.name
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                problems.append(f"{name!r} cannot be looked at ({error.strerror})")
                continue
            if stat.S_ISDIR(status.st_mode):
                folders.append(name + "/")
                if depth + 1 < DEPTH_LIMIT:
                    pending.append((name + "/", depth + 1))
                else:
                    problems.append(f"folder {name!r} lies too deep and was not entered")
                continue
            files[name] = _listed(root, name, status)
    return _sorted(files, folders, problems)


def _sorted(files: dict[str, ListedFile], folders: list[str], problems: list[str]) -> Listing:
    return Listing(dict(sorted(files.items())), tuple(sorted(folders)), tuple(problems))


def _listed(root: Path, name: str, status: os.stat_result) -> ListedFile:
    if stat.S_ISREG(status.st_mode):
        return ListedFile(status.st_size, status.st_mtime)
    if not stat.S_ISLNK(status.st_mode):
        return ListedFile(status.st_size, status.st_mtime, "is no regular file")
    try:
        with open_inside(root, name) as stream:
            inside = os.fstat(stream.fileno())
            return ListedFile(inside.st_size, inside.st_mtime)
    except UnreadableError as error:
        return ListedFile(0, status.st_mtime, str(error), error.raises)
