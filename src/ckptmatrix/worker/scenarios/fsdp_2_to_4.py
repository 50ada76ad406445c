"""FSDP1, gathered: saved by two processes, loaded by four."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2


class Fsdp2To4(Fsdp2):
    """Two processes write, four read: each holds half of what it was."""

    processes = (2, 4)


scenario = Fsdp2To4
