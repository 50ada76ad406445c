"""Gathered: saved under FSDP1, loaded under FSDP2."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2


class Fsdp2ToV2(Fsdp2):
    """The script moved to FSDP2."""

    versions = (1, 2)


scenario = Fsdp2ToV2
