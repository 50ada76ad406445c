"""Files of a project that outcomes and checkpoints hang on, and whether they are what they were."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from ckptmatrix.worker.touched import fingerprint

Sources = dict[str, str]
"""Path, from the project's folder where it lies below it -> fingerprint (`worker/touched.py`)."""


@cache
def project_at(root: Path) -> "Project":
    """The project in a folder, the same for all that ask in this process."""
    return Project(root)


class Project:
    """The folder of a project, which may lie elsewhere on another machine.

    Args:
        root: the folder of its `matrix.toml`.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._known: dict[tuple[str, int, int, int], str] = {}

    def named(self, touched: Mapping[str, str]) -> Sources:
        """What a worker found, as it is kept."""
        return {self._name(path): touched[path] for path in sorted(touched)}

    def unchanged(self, sources: Mapping[str, str]) -> bool:
        """Whether each file still has the content that it had."""
        return all(self._fingerprint(name) == sources[name] for name in sources)

    def _name(self, path: str) -> str:
        place = Path(path)
        return str(place.relative_to(self._root)) if place.is_relative_to(self._root) else path

    def _fingerprint(self, name: str) -> str:
        """Worked out once for each file as long as nothing touches it."""
        path = os.path.join(self._root, name)  # noqa: PTH118 - an absolute name stands for itself
        try:
            state = os.stat(path)  # noqa: PTH116 - of many files, in every run
        except OSError:
            return ""
        key = (path, state.st_ino, state.st_size, state.st_mtime_ns)
        if key not in self._known:
            self._known[key] = fingerprint(path)
        return self._known[key]
