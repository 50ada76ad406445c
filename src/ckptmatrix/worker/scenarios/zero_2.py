"""Training by DeepSpeed in two processes: ZeRO-2, gradients partitioned too."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.zero_1 import Zero1


class Zero2(Zero1):
    """Stage 2."""

    stage = 2


scenario = Zero2
