"""ZeRO-2, saved by two processes, made universal, loaded by one."""

from __future__ import annotations

from ckptmatrix.worker.scenarios._converted import Converted
from ckptmatrix.worker.scenarios.zero_2 import Zero2


class Zero2UniversalTo1(Converted, Zero2):
    """Two processes write, DeepSpeed's converter makes it universal, one reads."""

    processes = (2, 1)
    universal = True


scenario = Zero2UniversalTo1
