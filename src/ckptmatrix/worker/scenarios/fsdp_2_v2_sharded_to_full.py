"""FSDP2: saved in shards, loaded by a script that is set to gathered states."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import FULL, SHARDS
from ckptmatrix.worker.scenarios.fsdp_2_v2 import Fsdp2V2


class Fsdp2V2ShardedToFull(Fsdp2V2):
    """`fsdp_state_dict_type` was changed between save and load."""

    states = (SHARDS, FULL)


scenario = Fsdp2V2ShardedToFull
