"""One piece of work in a process of its own, that is killed at a ceiling and measured below it.

The standard library alone, Python 3.8: copied beside `reading.py` into an environment.
"""

import json
import os
import resource
import select
import signal
from collections.abc import Callable
from typing import Any

SECONDS = 20
"""Of the processor, for one file or directory and one command."""
GIGABYTES = 1.0
"""Of memory that is taken, with what Python (and torch) take before."""
WAITING = 600
"""Seconds after which one that uses no processor is taken to wait for ever."""


def below_ceilings(act: Callable[[], Any]) -> dict[str, Any]:
    """What it returned, as `said`, with `seconds` and `gigabytes`; `fell: ...` if it was killed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _bound()
        with os.fdopen(writer, "w") as pipe:
            json.dump(act(), pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        if not select.select([pipe], [], [], WAITING)[0]:
            os.kill(child, signal.SIGKILL)
        text = pipe.read()
    _, status, used = os.wait4(child, 0)
    said = json.loads(text) if text else f"fell: killed (status {status})"
    seconds, gigabytes = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9
    return {"said": said, "seconds": round(seconds, 2), "gigabytes": round(gigabytes, 3)}


def _bound() -> None:
    """Die at a ceiling; address space is what it is already and so much more."""
    with open("/proc/self/statm") as sizes:  # noqa: PTH123 - as reading.py is written
        now, resident = (int(pages) * resource.getpagesize() for pages in sizes.read().split()[:2])
    more = now - resident + int(GIGABYTES * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (more, more))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
