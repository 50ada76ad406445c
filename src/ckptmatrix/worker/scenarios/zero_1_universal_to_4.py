"""ZeRO-1, saved by two processes, made universal, loaded by four."""

from __future__ import annotations

from ckptmatrix.worker.scenarios._converted import Converted
from ckptmatrix.worker.scenarios.zero_1 import Zero1


class Zero1UniversalTo4(Converted, Zero1):
    """Two processes write, DeepSpeed's converter makes it universal, four read."""

    processes = (2, 4)
    universal = True


scenario = Zero1UniversalTo4
