"""FSDP2 in shards: saved by two processes, loaded by four."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_v2_sharded import Fsdp2V2Sharded


class Fsdp2V2ShardedTo4(Fsdp2V2Sharded):
    """Two processes write, four read: each holds half of what it was."""

    processes = (2, 4)


scenario = Fsdp2V2ShardedTo4
