"""Whether what lies in an environment is what was installed.

Every wheel lists its files with their SHA-256 (`RECORD`, PEP 427). To read all of torch takes
seconds, so it is done after the installation, and again only where a name, a size or a time differs
from then.
"""

import base64
import csv
import os
from pathlib import Path

from ckptmatrix.util.files import known_sha256_of
from ckptmatrix.util.home import digest

_COMPILED = "__pycache__"
"""Made and checked by Python itself."""


def state_of(directory: Path) -> str:
    """Digest of the names, sizes and times of all files installed in an environment's folder."""
    found: list[tuple[str, int, int]] = []
    todo = [str(place) for place in _packages(directory)]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    told = entry.stat(follow_symlinks=False)
                    found.append((entry.path, told.st_size, told.st_mtime_ns))
                elif entry.name != _COMPILED:
                    todo.append(entry.path)
    interpreter = (directory / "bin" / "python").exists()
    return digest(interpreter, sorted(found))


def damaged(directory: Path) -> tuple[str, ...]:
    """Files that are missing or not what their package says, as paths below `site-packages`."""
    wrong = [] if (directory / "bin" / "python").exists() else ["bin/python"]
    for place in _packages(directory):
        recorded: dict[str, set[str]] = {}
        for record in place.glob("*.dist-info/RECORD"):
            with record.open(encoding="utf-8", newline="") as lines:
                for name, kind_and_hash, *_ in csv.reader(lines):
                    if kind_and_hash.startswith("sha256=") and not name.startswith(".."):
                        # Packages of one namespace may each bring the same file.
                        recorded.setdefault(name, set()).add(kind_and_hash)
        wrong += [name for name, known in recorded.items() if _hash(place / name) not in known]
    return tuple(sorted(wrong))


def _hash(path: Path) -> str:
    """As `RECORD` writes it; empty for a file that cannot be read."""
    try:
        found = bytes.fromhex(known_sha256_of(path))
    except OSError:
        return ""
    return "sha256=" + base64.urlsafe_b64encode(found).decode().rstrip("=")


def _packages(directory: Path) -> list[Path]:
    return list(directory.glob("lib/python*/site-packages"))
