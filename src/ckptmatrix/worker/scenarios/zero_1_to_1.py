"""ZeRO-1, saved by two processes, loaded by one."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.zero_1 import Zero1


class Zero1To1(Zero1):
    """Two processes write, one reads."""

    processes = (2, 1)


scenario = Zero1To1
