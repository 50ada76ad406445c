"""FSDP1 in shards: saved by two processes, loaded by one."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_sharded import Fsdp2Sharded


class Fsdp2ShardedTo1(Fsdp2Sharded):
    """Two processes write, one reads: it holds the whole."""

    processes = (2, 1)


scenario = Fsdp2ShardedTo1
