"""ZeRO-2, saved by two processes, loaded by four."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.zero_2 import Zero2


class Zero2To4(Zero2):
    """Two processes write, four read."""

    processes = (2, 4)


scenario = Zero2To4
