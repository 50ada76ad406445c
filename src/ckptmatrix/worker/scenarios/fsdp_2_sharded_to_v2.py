"""Shards: saved under FSDP1, loaded under FSDP2."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_sharded import Fsdp2Sharded


class Fsdp2ShardedToV2(Fsdp2Sharded):
    """The script moved to FSDP2."""

    versions = (1, 2)


scenario = Fsdp2ShardedToV2
