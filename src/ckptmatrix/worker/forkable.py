"""Whether this process may be forked: no thread crosses a fork, and CUDA cannot be used after one.

A child whose parent had initialised CUDA is refused by the driver, and one whose parent had started
autograd's threads (one for each GPU) by torch; other threads may hold a lock that no one opens any
more. So a process that forks has one thread and leaves every device alone, and looks at itself
before it forks. Looking changes nothing.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from contextlib import suppress

_TASKS = "/proc/self/task"
_DRIVER = "libcuda.so.1"
_ENDING = 0.2
"""Seconds; a thread that Python has joined may still be about to end in the kernel."""


def unforkable() -> str:
    """Return what keeps this process from being forked, in a few words; empty if nothing does."""
    others = _other_threads()
    deadline = time.monotonic() + _ENDING
    while others and time.monotonic() < deadline:
        time.sleep(0.005)
        others = _other_threads()
    if others:
        return f"threads beside its first: {', '.join(sorted(others))}"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "CUDA initialised by torch"
    return "CUDA's driver initialised" if _driver_is_initialised() else ""


def _other_threads() -> list[str]:
    """Names of the threads of this process beside its first."""
    names = []
    for task in os.listdir(_TASKS):
        if task != str(os.getpid()):
            with suppress(OSError), open(f"{_TASKS}/{task}/comm", encoding="utf-8") as name:
                names.append(name.read().strip())
    return names


def _driver_is_initialised() -> bool:
    """Whether anything in this process called `cuInit`; torch need not know of it."""
    try:
        driver = ctypes.CDLL(_DRIVER, mode=os.RTLD_NOLOAD)  # found only if it is loaded already
    except OSError:
        return False
    # Until then every other function answers CUDA_ERROR_NOT_INITIALIZED.
    return bool(driver.cuDeviceGetCount(ctypes.byref(ctypes.c_int())) == 0)
