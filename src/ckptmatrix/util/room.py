"""Whether there is room to write: what fails for want of it says nothing of who tried."""

import os
import shutil
from pathlib import Path

from ckptmatrix.util.unfinished import file_for

_SAMPLE = 2**24
"""Bytes that have to fit in."""


def refuse_full(folder: Path) -> None:
    """Write something into a folder and remove it: so quotas and limits count as well.

    Raises:
        OSError: it cannot be written.
    """
    with file_for(folder / "room") as (handle, _), os.fdopen(handle, "wb", closefd=False) as out:
        for _ in range(_SAMPLE // len(_ZEROS)):
            out.write(_ZEROS)


def refuse_nearly_full(folder: Path) -> None:
    """The same, but only where the disk says that little is left: to be asked often.

    Raises:
        OSError: it cannot be written.
    """
    if shutil.disk_usage(folder).free < 4 * _SAMPLE:
        refuse_full(folder)


_ZEROS = bytes(2**20)
