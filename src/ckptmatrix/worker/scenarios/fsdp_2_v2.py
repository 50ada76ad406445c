"""Fully sharded training in two processes: FSDP2, the state gathered into one file each."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2


class Fsdp2V2(Fsdp2):
    """Parameters that are DTensors."""

    versions = (2, 2)


scenario = Fsdp2V2
