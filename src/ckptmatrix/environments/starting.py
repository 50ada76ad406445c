"""Starting other programs so that they end with this one, also where it is killed."""

import os
import subprocess
from collections.abc import Sequence
from functools import partial
from typing import Any

from ckptmatrix.worker.orphans import end_with


def start(command: Sequence[str], **options: Any) -> "subprocess.Popen[str]":
    """Start a program; it is killed when the thread that started it ends.

    Args:
        command: what to start.
        options: as of `subprocess.Popen`.
    """
    # One call into the C library, nothing that another thread may hold a lock of.
    return subprocess.Popen(command, preexec_fn=partial(end_with, os.getpid()), **options)
