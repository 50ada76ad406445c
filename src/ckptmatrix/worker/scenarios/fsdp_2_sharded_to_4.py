"""FSDP1 in shards: saved by two processes, loaded by four."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_sharded import Fsdp2Sharded


class Fsdp2ShardedTo4(Fsdp2Sharded):
    """Two processes write, four read: each holds half of what it was."""

    processes = (2, 4)


scenario = Fsdp2ShardedTo4
