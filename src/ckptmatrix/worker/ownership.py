"""Which component a place in a checkpoint belongs to: by its file, and in some by the key.

Files that accelerate does not write come from a script's own hooks; a scenario that has such files
for anything but `hook_files` names them, or a key in them, in `Scenario.files`.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from ckptmatrix.worker.layout import (
    RANDOM_KEYS,
    component_of,
    engine_parts,
    engine_rank_of,
    rank_of,
)
from ckptmatrix.worker.merging import of_rank
from ckptmatrix.worker.words import Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Scenario


def owners(scenario: Scenario, file: str, key: Any) -> tuple[str, ...]:
    """Components, of every process that reads the place.

    Args:
        scenario: whose checkpoint it is.
        file: path below the checkpoint's directory.
        key: the one in the file that `layout.key_in` gives; None for the file as a whole.
    """
    readers = scenario.processes[1]
    rank = rank_of(file)
    engine = engine_parts(file, key)
    if engine is not None:
        # Of weights every process holds what all have of them, up to ZeRO-2.
        own = engine_rank_of(file)
        return tuple(
            of_rank(name, rank)
            for name in engine
            for rank in range(readers)
            if own in (None, rank) or name == Part.MODEL
        )
    if rank is None:
        plain = _owners(scenario, file, key)
        return tuple(of_rank(name, rank) for name in plain for rank in range(readers))
    if rank >= readers:
        return ()
    names = [name for name, own in RANDOM_KEYS.items() if key is None or key == own]
    return tuple(of_rank(name, rank) for name in names)


def _owners(scenario: Scenario, file: str, key: str | None) -> tuple[str, ...]:
    """Without ranks; of a file as a whole those of all its keys."""
    named = []
    for place, component in scenario.files:
        pattern, colon, own_key = place.partition(":")
        if fnmatch.fnmatch(file, pattern):
            whole = not colon
            if key is not None and (whole or fnmatch.fnmatch(str(key), own_key)):
                return (component,) if component else ()
            named.append(component)
            if whole:
                break
    else:
        named.append(component_of(file) or Part.HOOK_FILES)
    if key is not None:
        named = named[-1:]
    return tuple(dict.fromkeys(name for name in named if name))


def sliced(scenario: Scenario, owners: tuple[str, ...]) -> bool:
    """Whether the processes that own a place each hold a part, so that it may be one's alone."""
    parts = {part.name for part in scenario.components if part.sliced}
    return any(owner.partition("@")[0] in parts for owner in owners)
