"""Shards: saved under FSDP2, loaded under FSDP1."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_v2_sharded import Fsdp2V2Sharded


class Fsdp2V2ShardedToV1(Fsdp2V2Sharded):
    """The script moved back to FSDP1."""

    versions = (2, 1)


scenario = Fsdp2V2ShardedToV1
