"""The controls of earlier runs, kept under the keys of the cells that those runs measured."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from ckptmatrix.model import ControlRecord
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import Home, digest


def find_controls(home: Home, keys: Iterable[str]) -> tuple[ControlRecord, ...] | None:
    """The controls of the run that measured these very cells; None if there was none.

    Args:
        home: where they lie.
        keys: one for each cell, empty for one that cannot be measured.
    """
    try:
        kept = _place(home, keys).read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(kept, type=tuple[ControlRecord, ...])


def keep_controls(home: Home, keys: Iterable[str], controls: tuple[ControlRecord, ...]) -> None:
    """Keep the controls of a run that measured these cells."""
    write_atomically(_place(home, keys), msgspec.json.encode(controls))


def _place(home: Home, keys: Iterable[str]) -> Path:
    return home.root / "controls" / f"{digest(sorted(keys))[:16]}.json"
