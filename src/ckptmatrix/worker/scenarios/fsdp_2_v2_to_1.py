"""FSDP2, gathered: saved by two processes, loaded by one."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_v2 import Fsdp2V2


class Fsdp2V2To1(Fsdp2V2):
    """Two processes write, one reads: it holds the whole."""

    processes = (2, 1)


scenario = Fsdp2V2To1
