"""Fully sharded training in two processes: FSDP2, a shard for each process."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import SHARDS, Fsdp2


class Fsdp2V2Sharded(Fsdp2):
    """DTensors, saved by torch's distributed checkpoint."""

    versions = (2, 2)
    states = (SHARDS, SHARDS)


scenario = Fsdp2V2Sharded
