"""Gathered: saved under FSDP2, loaded under FSDP1."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fsdp_2_v2 import Fsdp2V2


class Fsdp2V2ToV1(Fsdp2V2):
    """The script moved back to FSDP1."""

    versions = (2, 1)


scenario = Fsdp2V2ToV1
