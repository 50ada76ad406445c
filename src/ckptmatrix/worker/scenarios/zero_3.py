"""Training by DeepSpeed in two processes: ZeRO-3, the weights partitioned as well."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.zero_1 import Zero1


class Zero3(Zero1):
    """Stage 3."""

    stage = 3


scenario = Zero3
