"""Sharded training as accelerate leaves it on the CPU."""

from __future__ import annotations

from unittest.mock import patch

from ckptmatrix.worker.scenarios.fsdp_2 import Fsdp2
from ckptmatrix.worker.training import Training


class NotLifted(Fsdp2):
    """FSDP1, its gate where it was."""

    def build(self, device: str) -> Training:
        with patch("ckptmatrix.worker.scenarios.fsdp_2.lift_fsdp"):
            return super().build(device)
