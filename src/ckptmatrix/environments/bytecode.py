"""Compiled Python that one environment lends another.

uv links the sources of a package from its cache, so all environments of a stack have the very same
files of torch, numpy and the rest; only what is compiled from them each would make anew, which
takes longer than everything else in building one. Python itself checks that bytecode belongs to its
source (by date and size) and puts in the path that it is loaded from.
"""

import contextlib
import os
from pathlib import Path

_CACHE = "__pycache__"


def borrow(target: Path, donor: Path) -> int:
    """Link the donor's bytecode of every source file that both environments share.

    Args:
        target: an environment that nothing has been imported in yet.
        donor: another one with the same Python.

    Returns:
        How many files were linked.
    """
    linked = 0
    for folder, names in _caches(donor):
        sources = target / folder.parent.relative_to(donor)
        if not sources.is_dir():
            continue
        place = sources / _CACHE
        for name in names:
            source = f"{name.partition('.')[0]}.py"
            if name.endswith(".pyc") and _same(sources / source, folder.parent / source):
                place.mkdir(exist_ok=True)
                with contextlib.suppress(OSError):  # only speed is at stake
                    os.link(folder / name, place / name)
                    linked += 1
    return linked


def _caches(environment: Path) -> list[tuple[Path, list[str]]]:
    places = environment.glob("lib/python*/site-packages")
    return [
        (Path(folder), names)
        for place in places
        for folder, _, names in os.walk(place)
        if folder.endswith(f"/{_CACHE}")
    ]


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
