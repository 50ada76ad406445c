"""Fully sharded training in two processes: FSDP1, a shard for each process."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import SHARDS, Fsdp2


class Fsdp2Sharded(Fsdp2):
    """Saved by torch's distributed checkpoint."""

    states = (SHARDS, SHARDS)


scenario = Fsdp2Sharded
