"""FSDP1: saved gathered, loaded by a script that is set to shards."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import FULL, SHARDS, Fsdp2


class Fsdp2ToShards(Fsdp2):
    """`fsdp_state_dict_type` was changed between save and load."""

    states = (FULL, SHARDS)


scenario = Fsdp2ToShards
