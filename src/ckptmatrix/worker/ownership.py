"""Which component a place in a checkpoint belongs to: by its file, and in some by the key.

Files that accelerate does not write come from a script's own hooks; a scenario that has such files
for anything but `hook_files` names them in `Scenario.files`.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from ckptmatrix.worker.layout import RANDOM_KEYS, component_of, rank_of
from ckptmatrix.worker.merging import of_rank
from ckptmatrix.worker.words import Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Scenario


def owners(scenario: Scenario, file: str, key: str | None) -> tuple[str, ...]:
    """Components, of every process that reads the place.

    Args:
        scenario: whose checkpoint it is.
        file: path below the checkpoint's directory.
        key: the first key in the file; None for the file as a whole.
    """
    readers = scenario.processes[1]
    rank = rank_of(file)
    if rank is None:
        return tuple(of_rank(_owner(scenario, file), rank) for rank in range(readers))
    if rank >= readers:
        return ()
    names = [name for name, own in RANDOM_KEYS.items() if key is None or key == own]
    return tuple(of_rank(name, rank) for name in names)


def _owner(scenario: Scenario, file: str) -> str:
    for pattern, component in scenario.files:
        if fnmatch.fnmatch(file, pattern):
            return component
    return component_of(file) or Part.HOOK_FILES
