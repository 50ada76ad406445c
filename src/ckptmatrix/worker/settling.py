"""Make this process cheap to fork: a fork copies one entry for each page of memory that it has.

A warm reader has some 220 MB of its own in pages of 4 KiB. In huge pages of 2 MiB there are far
fewer entries to copy, and to throw away when the child ends: measured on two cores, a bare fork
costs a third (docs/performance.md). Only speed is at stake, so whatever the kernel refuses is left.
"""

from __future__ import annotations

import ctypes
import re

_HUGE = 2 << 20
_COLLAPSE = 25
"""`MADV_COLLAPSE`, Linux 6.1 and newer; older kernels refuse it at once."""

_ANONYMOUS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(\[heap\])?$")
"""A line of `/proc/self/maps`: private memory that no file is behind."""


def settle() -> None:
    """Call it when much has been imported, before many forks; done twice, it costs little."""
    try:
        with open("/proc/self/maps", encoding="ascii") as maps:
            lines = maps.read().splitlines()
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in lines:
        found = _ANONYMOUS.match(line)
        if found:
            first, end = (int(found[group], 16) for group in (1, 2))
            first, end = first + -first % _HUGE, end - end % _HUGE
            if first < end:
                advise(first, end - first, _COLLAPSE)
