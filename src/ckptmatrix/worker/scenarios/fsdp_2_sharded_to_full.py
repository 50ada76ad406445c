"""FSDP1: saved in shards, loaded by a script that is set to gathered states."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import FULL, SHARDS, Fsdp2


class Fsdp2ShardedToFull(Fsdp2):
    """`fsdp_state_dict_type` was changed between save and load."""

    states = (SHARDS, FULL)


scenario = Fsdp2ShardedToFull
