"""Fully sharded training in two processes: FSDP1, a shard for each process."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2


class Fsdp2Sharded(Fsdp2):
    """Saved by torch's distributed checkpoint."""

    states = "SHARDED_STATE_DICT"


scenario = Fsdp2Sharded
