"""Fully sharded training in two processes: FSDP2, a shard for each process."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2


class Fsdp2V2Sharded(Fsdp2):
    """DTensors, saved by torch's distributed checkpoint."""

    version = 2
    states = "SHARDED_STATE_DICT"


scenario = Fsdp2V2Sharded
