"""FSDP1, gathered: saved by two processes, loaded by one."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2


class Fsdp2To1(Fsdp2):
    """Two processes write, one reads: it holds the whole."""

    processes = (2, 1)


scenario = Fsdp2To1
