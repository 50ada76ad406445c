"""Run functions in forked children: a crash, a hang or a memory leak stays with the child.

A parent that may not be forked any more (`forkable.py`) forks nothing and says why.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Generic, NoReturn, TypeVar

from ckptmatrix.worker.forkable import unforkable
from ckptmatrix.worker.orphans import end_with
from ckptmatrix.worker.protocol import Answer, NotReturned, Returned
from ckptmatrix.worker.raising import raised
from ckptmatrix.worker.touched import TOUCHED
from ckptmatrix.worker.words import Ending

A = TypeVar("A")


def run_forked(function: Callable[[], A], seconds: float) -> Answer[A]:
    """Call `function` in a child of this process and wait for it at most `seconds`.

    The value comes back pickled: between a process and its own child that is safe as long as the
    function's values are plain, which holds for everything in this package.
    """
    ended = run_together([function], seconds)
    return Returned(ended.value[0]) if isinstance(ended, Returned) else ended


def run_together(functions: list[Callable[[], A]], seconds: float) -> Answer[list[A]]:
    """Call each function in a child of its own, all at the same time.

    As soon as one ends otherwise than by returning, the others are killed: they would wait for it.

    Returns:
        The list of what they returned, or how the one ended that did not; a kill goes before the
        crashes, and a crash before the exceptions, that it leads to in the others.
    """
    reason = unforkable()
    if reason:
        return NotReturned(Ending.UNFORKABLE, reason)
    deadline = time.monotonic() + seconds
    children: list[_Child[A]] = []
    try:
        for function in functions:
            children.append(_Child(function))
        while any(child.ended is None for child in children):
            waiting = {child.pipe: child for child in children if child.ended is None}
            left = deadline - time.monotonic()
            ready = select.select(list(waiting), [], [], left)[0] if left > 0 else []
            if not ready:
                return NotReturned(Ending.TIMEOUT, f"no answer within {seconds:g} seconds")
            for pipe in ready:
                waiting[pipe].receive()
            failed = [c.ended for c in children if isinstance(c.ended, NotReturned)]
            if failed:
                return min(failed, key=_rank)
        return Returned([c.ended.value for c in children if isinstance(c.ended, Returned)])
    finally:
        for child in children:
            child.close()


def _rank(ended: NotReturned) -> int:
    """What led to the other."""
    first = (Ending.KILLED, Ending.CRASHED)
    return first.index(ended.how) if ended.how in first else len(first)


def how_it_died(status: int) -> NotReturned:
    """The end of a process that gave no answer, by what `waitpid` says of it."""
    if not os.WIFSIGNALED(status):
        return NotReturned(Ending.CRASHED, f"exited with status {os.WEXITSTATUS(status)}")
    number = os.WTERMSIG(status)
    how = Ending.KILLED if number == signal.SIGKILL else Ending.CRASHED
    return NotReturned(how, f"killed by {signal.Signals(number).name}")


class _Child(Generic[A]):
    """A child process and what has come from it so far; `ended` is None while it runs."""

    def __init__(self, function: Callable[[], A]) -> None:
        self.ended: Answer[A] | None = None
        self.parts: list[bytes] = []
        self.pipe, sending = os.pipe()
        parent = os.getpid()
        self.process = os.fork()
        if self.process == 0:
            end_with(parent)
            os.close(self.pipe)
            _call(function, sending)
        os.close(sending)

    def receive(self) -> None:
        """Take what is there; at its end the child is waited for."""
        part = os.read(self.pipe, 1 << 20)
        if part:
            self.parts.append(part)
            return
        _, status = os.waitpid(self.process, 0)
        answer = b"".join(self.parts)
        whole = status == 0 and answer
        if whole:
            self.ended, news = pickle.loads(answer)
            TOUCHED.learn(news)
        else:
            self.ended = how_it_died(status)

    def close(self) -> None:
        """End it if it still runs."""
        os.close(self.pipe)
        if self.ended is None:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)


def _call(function: Callable[[], A], sending: int) -> NoReturn:
    """Never returns: whatever happens, this process ends here."""
    status = 1
    try:
        answer: Answer[A]
        try:
            answer = Returned(function())
        except BaseException as error:  # noqa: BLE001 - a child that leaves this frame would be a second parent
            answer = raised(error)
        payload = pickle.dumps((answer, TOUCHED.told()))
        with os.fdopen(sending, "wb") as pipe:
            pipe.write(payload)
        status = 0
    finally:
        try:
            sys.stderr.flush()
        finally:  # the log may lie on a full disk
            os._exit(status)
