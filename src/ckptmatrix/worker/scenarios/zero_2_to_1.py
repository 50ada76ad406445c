"""ZeRO-2, saved by two processes, loaded by one."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.zero_2 import Zero2


class Zero2To1(Zero2):
    """Two processes write, one reads."""

    processes = (2, 1)


scenario = Zero2To1
