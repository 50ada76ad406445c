"""No process outlives the one that started it, however that one ended."""

from __future__ import annotations

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None)  # here, since a child that was just forked should not load anything
_PR_SET_PDEATHSIG = 1
"""From `linux/prctl.h`."""


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, be it by SIGKILL (`prctl(2)`).

    To be called in the child, right after the fork. Of a parent with several threads it is the
    one that forked that counts.

    Args:
        parent: its process id; where it is gone already, this process ends here.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
