"""FSDP2 in shards: saved by two processes, loaded by one."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_v2_sharded import Fsdp2V2Sharded


class Fsdp2V2ShardedTo1(Fsdp2V2Sharded):
    """Two processes write, one reads: it holds the whole."""

    processes = (2, 1)


scenario = Fsdp2V2ShardedTo1
