"""Files that no release brings and an outcome hangs on: what a scenario's code imports and reads.

They are found out by looking: Python tells (`sys.addaudithook`) of each file that is opened. Whose
doing that was is read off the stack: the nearest code above it that is not of the environment. A
module that is imported already is not opened again, so imports are also read in its source. Seen
are files that Python opens, not those that libraries open past it, nor what further processes of a
script's own read (a `DataLoader`'s workers).

Standard library alone: the host makes the same fingerprints.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

_SYSTEM = (
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
)
_LARGE = 1 << 28
"""Bytes from which on a file counts by its size and its time instead of its content."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def fingerprint(path: str) -> str:
    """What a file is like; empty if there is none."""
    try:
        with open(path, "rb") as file:
            state = os.fstat(file.fileno())
            if state.st_size >= _LARGE:
                return f"{state.st_size} bytes of {state.st_mtime_ns}"
            digest = hashlib.sha256()
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
            return digest.hexdigest()
    except OSError:
        return ""


class News(NamedTuple):
    """What one process has seen; goes from a child to its parent."""

    edges: dict[str, set[str]]
    """File of code, empty for the environment's own -> files that it opened."""
    prints: dict[str, str]
    """Each of these files -> its fingerprint when it was read."""


class Touched:
    """What this process and its children opened.

    Attributes:
        news: what was seen so far.
    """

    def __init__(self) -> None:
        self.news = News({}, {})
        self._roots: tuple[str, ...] = ()
        self._apart: tuple[str, ...] = ()
        self._own: dict[str, bool] = {}
        self._written: set[str] = set()
        self._imports: dict[str, frozenset[str]] = {}
        self._listening = False

    def listen(self, roots: Iterable[str], apart: Iterable[str]) -> None:
        """Hear of every file that is opened from now on.

        Args:
            roots: folders whose files count wherever they lie.
            apart: folders whose files never count.
        """
        self._roots, self._apart = _folders(roots), _folders((*apart, sys.prefix, sys.base_prefix))
        if not self._listening:
            self._listening = True
            sys.addaudithook(self._hear)

    def told(self) -> News | None:
        """All that was seen, with what was read since it was last asked; None if nothing was."""
        self._take_fingerprints()
        return self.news if self.news.edges else None

    def learn(self, news: News | None) -> None:
        """Take over what a child has seen."""
        if news is None:
            return
        for code, files in news.edges.items():
            self.news.edges.setdefault(code, set()).update(files)
        prints = self.news.prints
        other = {path for path in news.prints if news.prints[path] != prints.get(path)}
        if other:
            # What this process has imported stays as it was, whatever a child finds there now.
            other -= self._all_code() & prints.keys()
            prints.update({path: news.prints[path] for path in other})

    def of(self, modules: Iterable[str]) -> dict[str, str]:
        """File -> fingerprint, of all that code of these modules hangs on; their own included."""
        self._take_fingerprints()
        paths = (_file_of(module) for module in modules)
        first = [path for path in paths if path and self._is_own(path)]
        if not first:
            return {}
        data = (path for path in self.news.edges.get("", ()) if not path.endswith(".py"))
        found, todo = {*first, *data}, [*first, *data]
        while todo:
            path = todo.pop()
            further = self.news.edges.get(path, set()) | self._imported_by(path)
            todo += further - found
            found |= further
        prints = self.news.prints
        return {path: prints[path] if path in prints else fingerprint(path) for path in found}

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
        elif event == "import" and arguments[1]:  # an extension module, which is not opened
            path, mode, flags = arguments[1], "r", 0
        else:
            return
        with suppress(Exception):  # whatever this is, the script is not to notice
            self._opened(os.fsdecode(path), bool(flags & _WRITING) or _writes(mode))

    def _opened(self, path: str, writes: bool) -> None:
        path = os.path.abspath(_source_of(path))
        if writes:
            self._written.add(path)  # what a script writes itself, it does not hang on
        elif path not in self._written and self._is_own(path):
            self.news.edges.setdefault(self._code(), set()).add(path)
            if not path.endswith(".py"):
                self.news.prints.pop(path, None)  # it may have changed since it was read last

    def _code(self) -> str:
        """The file of the nearest code on the stack that is not of the environment."""
        frame = sys._getframe(1)
        while frame is not None:
            name = frame.f_code.co_filename
            if os.path.isabs(name) and self._is_own(name):
                return name
            frame = frame.f_back  # type: ignore[assignment]
        return ""

    def _is_own(self, path: str) -> bool:
        if path not in self._own:
            self._own[path] = self._belongs(path)
        return self._own[path]

    def _belongs(self, path: str) -> bool:
        if path.startswith(self._apart) or not os.path.isabs(path):
            return False
        return path.startswith(self._roots) or not path.startswith(_FOREIGN)

    def _take_fingerprints(self) -> None:
        opened = {path for files in list(self.news.edges.values()) for path in files}
        for path in opened - self.news.prints.keys():
            self.news.prints[path] = fingerprint(path)

    def _imported_by(self, path: str) -> frozenset[str]:
        """Files of the modules that a file names in its imports, in functions too."""
        if path not in self._imports and path.endswith(".py"):
            names = _named(path)
            if names is None:
                return frozenset(self._all_code())
            files = map(_file_of, names)
            self._imports[path] = frozenset(file for file in files if file and self._is_own(file))
        return self._imports.get(path, frozenset())

    def _all_code(self) -> set[str]:
        """The files of every module that is imported here and is no release's."""
        files = {_file_of(module) for module in list(sys.modules)}
        return {file for file in files if file and self._is_own(file)}


TOUCHED = Touched()
"""Of this process."""


def _named(path: str) -> set[str] | None:
    """Full names of the modules that a file may import; None if it makes names up as it runs."""
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, ValueError, SyntaxError):
        return set()
    package = _package_of(path)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            found.update((base, *(f"{base}.{alias.name}" for alias in node.names)))
        elif isinstance(node, ast.Name) and node.id in ("__import__", "importlib"):
            return None
    for name in tuple(found):  # a module's packages are imported before it
        parts = name.split(".")
        found.update(".".join(parts[:end]) for end in range(1, len(parts)))
    return found


def _package_of(path: str) -> str:
    names = (name for name in list(sys.modules) if _file_of(name) == path)
    module = sys.modules.get(next(names, ""))
    return getattr(module, "__package__", None) or ""


def _file_of(module: str) -> str:
    file = getattr(sys.modules.get(module), "__file__", None)
    return os.path.abspath(_source_of(file)) if file else ""


def _source_of(path: str) -> str:
    """The source of a compiled file, where there is one."""
    if path.endswith(".pyc"):
        with suppress(ValueError):
            source = importlib.util.source_from_cache(path)
            return source if os.path.exists(source) else path
    return path


def _writes(mode: Any) -> bool:
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")


def _folders(paths: Iterable[str]) -> tuple[str, ...]:
    """Each as the beginning of the paths below it, also where it is a link."""
    both = {found for path in paths for found in (os.path.abspath(path), os.path.realpath(path))}
    return tuple(sorted(path.rstrip(os.sep) + os.sep for path in both))


_FOREIGN = _folders((*_SYSTEM, tempfile.gettempdir()))
