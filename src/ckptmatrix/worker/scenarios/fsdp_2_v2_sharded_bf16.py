"""FSDP2 in shards: all tensors of weights and optimizer are bfloat16."""

from __future__ import annotations

import torch

from ckptmatrix.worker.scenarios.fsdp_2_v2_sharded import Fsdp2V2Sharded


class Fsdp2V2ShardedBf16(Fsdp2V2Sharded):
    """Pure bfloat16, without a copy in float32."""

    dtype = torch.bfloat16


scenario = Fsdp2V2ShardedBf16
