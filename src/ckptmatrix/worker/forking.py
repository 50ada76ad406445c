"""Run a function in a forked child: its crash, hang or memory is its own.

The parent must never have touched CUDA; a CUDA context does not survive a fork.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import time
import traceback
from typing import Any, Callable, NamedTuple


class Ended(NamedTuple):
    """How a child ended."""

    how: str
    """`returned`, `raised`, `crashed` or `timeout`."""
    value: Any
    """What it returned; or one line, or the traceback of what it raised."""


def run_forked(function: Callable[[], Any], seconds: float) -> Ended:
    """Call `function` in a child of this process and wait for it at most `seconds`.

    The value comes back pickled: between a process and its own child that is safe as long as the
    function's values are plain, which holds for everything in this package.
    """
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        _child(function, sending)
    os.close(sending)
    in_time = False
    try:
        answer, in_time = _receive(receiving, time.monotonic() + seconds)
    finally:
        os.close(receiving)
        if not in_time:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not in_time:
        return Ended("timeout", f"no answer within {seconds:g} seconds")
    if os.WIFSIGNALED(status):
        return Ended("crashed", f"killed by {signal.Signals(os.WTERMSIG(status)).name}")
    if os.WEXITSTATUS(status) != 0 or not answer:
        return Ended("crashed", f"exited with status {os.WEXITSTATUS(status)}")
    how, value = pickle.loads(answer)
    return Ended(how, value)


def _child(function: Callable[[], Any], sending: int) -> None:
    """Never returns: whatever happens, this process ends here."""
    status = 1
    try:
        try:
            answer = ("returned", function())
        except BaseException:  # noqa: BLE001 - a child that leaves this frame would be a second parent
            answer = ("raised", traceback.format_exc())
        payload = pickle.dumps(answer)
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(payload)
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


def _receive(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """All bytes up to the end, and whether the end came before the deadline."""
    parts = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return b"", False
        part = os.read(descriptor, 1 << 20)
        if not part:
            return b"".join(parts), True
        parts.append(part)
