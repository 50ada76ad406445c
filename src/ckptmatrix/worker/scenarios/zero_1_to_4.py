"""ZeRO-1, saved by two processes, loaded by four."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.zero_1 import Zero1


class Zero1To4(Zero1):
    """Two processes write, four read."""

    processes = (2, 4)


scenario = Zero1To4
