"""A stage: a child in which everything up to the load has been done, and from which loads fork.

Building a scenario's objects costs as much as loading into them, and is the same for every
checkpoint that a reader loads. A stage builds once; each load still has a process of its own, and
starts from the very memory that building left.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import traceback
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import Any, Callable

from ckptmatrix.worker.forking import Ended, how_it_died, run_forked


class Stage:
    """A prepared process; it ends when it is closed, or with this one.

    Args:
        prepare: makes what every request starts from.
        serve: called with that and a request, in a child of the stage.
        seconds: time limit of `prepare`.

    Attributes:
        ended: how `prepare` ended; `threads` if it started some.
    """

    def __init__(
        self, prepare: Callable[[], Any], serve: Callable[[Any, Any], Any], seconds: float
    ) -> None:
        self._line, theirs = Pipe()
        self._process = os.fork()
        if self._process == 0:
            self._line.close()
            _live(prepare, serve, theirs)
        theirs.close()
        self._alive = True
        self.ended = self._answer(seconds)

    @property
    def broken(self) -> bool:
        """Whether it died after it had been prepared."""
        return self.ended.how == "returned" and not self._alive

    def ask(self, request: Any, seconds: float) -> Ended:
        """Serve a request in a child of the stage, within a time limit."""
        if self.ended.how != "returned":
            return self.ended
        try:
            self._line.send((request, seconds))
        except OSError:
            return self._died()
        return self._answer(2 * seconds + 60)

    def close(self) -> None:
        """End it."""
        if self._alive:
            os.kill(self._process, signal.SIGKILL)
            self._died()

    def _answer(self, seconds: float) -> Ended:
        if not self._line.poll(seconds):
            self.close()
            return Ended("timeout", f"no answer within {seconds:g} seconds")
        try:
            return Ended(*self._line.recv())
        except (EOFError, OSError):
            return self._died()

    def _died(self) -> Ended:
        self._alive = False
        self._line.close()
        _, status = os.waitpid(self._process, 0)
        return how_it_died(status)


def _live(prepare: Callable[[], Any], serve: Callable[[Any, Any], Any], line: Connection) -> None:
    """Never returns: the stage's whole life."""
    try:
        try:
            prepared = prepare()
        except BaseException:  # noqa: BLE001 - a child that leaves this frame would be a second parent
            line.send(("raised", traceback.format_exc()))
            return
        if len(os.listdir("/proc/self/task")) > 1:
            line.send(("threads", None))  # no fork carries them over
            return
        drawn = random.getstate()
        gc.freeze()  # as in the worker: children's collectors stay off the shared pages
        line.send(("returned", None))
        while True:
            request, seconds = line.recv()
            line.send(tuple(run_forked(partial(_served, serve, prepared, request, drawn), seconds)))
    except (EOFError, OSError):
        pass  # the worker is gone
    finally:
        os._exit(0)


def _served(serve: Callable[[Any, Any], Any], prepared: Any, request: Any, drawn: Any) -> Any:
    random.setstate(drawn)  # Python seeds its generator anew in every forked child
    return serve(prepared, request)
