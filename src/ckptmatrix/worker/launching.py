"""The processes of one training: forked from the warm worker, and set up as `torchrun` would.

Ranks are judged one by one, each in its own process against its own truth; `merging` puts their
verdicts together. Most trainings have one process, for which nothing here costs anything.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from ckptmatrix.worker.forking import run_together
from ckptmatrix.worker.protocol import Answer

A = TypeVar("A")

_PATIENCE = 1.0
"""Seconds; rank 0 may have a reason never to listen, and torch asks again by itself."""


class Ranks:
    """The processes of a training, as one of them sees them.

    Attributes:
        rank: this process, from 0.
        count: how many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1, flags: Any = None, gate: Any = None) -> None:
        self.rank = rank
        self.count = count
        self._flags = flags
        self._gate = gate

    def any(self, mine: bool) -> bool:
        """Whether it holds in any of them. All meet here, by no means of the library under test."""
        if self.count == 1:
            return mine
        self._flags[self.rank] = mine
        self._gate.wait()
        found = any(self._flags[: self.count])
        self._gate.wait()
        return found


def launch(count: int, function: Callable[[Ranks], A], seconds: float) -> Answer[list[A]]:
    """Call `function` in each of `count` processes.

    Returns:
        The list of what they returned, by rank; or how the first one ended that did not return.
    """
    if count == 1:
        return run_together([lambda: function(Ranks())], seconds)
    flags = mmap.mmap(-1, count)
    gate = multiprocessing.get_context("fork").Barrier(count)
    with socket.socket() as reserved:
        # Bound but not listening: nobody else is given this port, yet rank 0 can take it over.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        ranks = [Ranks(rank, count, flags, gate) for rank in range(count)]
        return run_together([partial(_run, function, rank, port) for rank in ranks], seconds)


def _run(function: Callable[[Ranks], A], ranks: Ranks, port: int) -> A:
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    os.environ.update(
        RANK=str(ranks.rank),
        LOCAL_RANK=str(ranks.rank),
        WORLD_SIZE=str(ranks.count),
        LOCAL_WORLD_SIZE=str(ranks.count),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        GLOO_SOCKET_IFNAME=loopback,
    )
    if ranks.rank:
        _await_listener(port)
    value = function(ranks)
    ranks.any(False)  # none leaves while another still needs its connections
    return value


def _await_listener(port: int) -> None:
    """Wait a little for rank 0: torch, refused at its first try, sleeps for up to a second."""
    deadline = time.monotonic() + _PATIENCE
    while not _listened_to(port) and time.monotonic() < deadline:
        time.sleep(0.002)


def _listened_to(port: int) -> bool:
    """Whether somebody listens on a port of this machine.

    Nobody is asked, since whoever listens would take that for a rank's connection. Ports may be
    shared by those who all allow it, unless one of them listens: then nobody else is given it.
    """
    with socket.socket() as trying:
        trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trying.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
