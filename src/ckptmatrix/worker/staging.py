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
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, Pipe
from typing import Any, Generic, NoReturn, TypeVar

from ckptmatrix.worker.forkable import unforkable
from ckptmatrix.worker.forking import how_it_died, run_forked
from ckptmatrix.worker.orphans import end_with
from ckptmatrix.worker.protocol import Answer, NotReturned, Returned
from ckptmatrix.worker.raising import raised
from ckptmatrix.worker.touched import TOUCHED
from ckptmatrix.worker.words import Ending

A = TypeVar("A")
P = TypeVar("P")
Q = TypeVar("Q")


class Stage(Generic[Q, A]):
    """A prepared process; it ends when it is closed, or with this one.

    Args:
        prepare: makes what every request starts from.
        serve: called with that and a request, in a child of the stage.
        seconds: time limit of `prepare`.

    Attributes:
        ready: how `prepare` ended, and what then kept the process from being forked, if anything.
    """

    def __init__(
        self, prepare: Callable[[], P], serve: Callable[[P, Q], A], seconds: float
    ) -> None:
        self._alive = False
        reason = unforkable()
        if reason:
            self.ready: Answer[str] = NotReturned(Ending.UNFORKABLE, reason)
            return
        self._line, theirs = Pipe()
        parent = os.getpid()
        self._process = os.fork()
        if self._process == 0:
            end_with(parent)
            self._line.close()
            _live(prepare, serve, theirs)
        theirs.close()
        self._alive = True
        self.ready = self._answer(seconds)

    @property
    def broken(self) -> bool:
        """Whether it died after it had been prepared, or was killed before."""
        unready = isinstance(self.ready, NotReturned) and self.ready.how is not Ending.KILLED
        return not unready and not self._alive

    @property
    def cannot_fork(self) -> bool:
        """Whether it was prepared, but by that became a process that may not fork: it is over."""
        return isinstance(self.ready, Returned) and bool(self.ready.value)

    def ask(self, request: Q, seconds: float) -> Answer[A]:
        """Serve a request in a child of the stage, within a time limit."""
        if isinstance(self.ready, NotReturned):
            return self.ready
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

    def _answer(self, seconds: float) -> Answer[Any]:
        if not self._line.poll(seconds):
            self.close()
            return NotReturned(Ending.TIMEOUT, f"no answer within {seconds:g} seconds")
        try:
            answer, news = self._line.recv()
        except (EOFError, OSError):
            return self._died()
        TOUCHED.learn(news)
        found: Answer[Any] = answer
        return found

    def _died(self) -> NotReturned:
        self._alive = False
        self._line.close()
        _, status = os.waitpid(self._process, 0)
        return how_it_died(status)


def _live(prepare: Callable[[], P], serve: Callable[[P, Q], A], line: Connection) -> NoReturn:
    """The stage's whole life; never returns."""
    try:
        try:
            prepared = prepare()
        except BaseException as error:  # noqa: BLE001 - a child that leaves this frame would be a second parent
            line.send((raised(error), TOUCHED.told()))
            os._exit(0)
        drawn = random.getstate()
        gc.freeze()  # as in the worker: children's collectors stay off the shared pages
        reason = unforkable()
        line.send((Returned(reason), TOUCHED.told()))
        while not reason:
            request, seconds = line.recv()
            answer = run_forked(partial(_served, serve, prepared, request, drawn), seconds)
            line.send((answer, TOUCHED.told()))
    except (EOFError, OSError):
        pass  # the worker is gone
    finally:
        os._exit(0)


def _served(serve: Callable[[P, Q], A], prepared: P, request: Q, drawn: Any) -> A:
    random.setstate(drawn)  # Python seeds its generator anew in every forked child
    return serve(prepared, request)
