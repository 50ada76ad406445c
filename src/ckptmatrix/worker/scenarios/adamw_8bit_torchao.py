"""torchao's AdamW, whose averages are tensors made of others: 8-bit codes, scales, a table."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.adam_8bit import EightBit, before_forks


class AdamW8bitTorchao(EightBit):
    """`torchao.optim.AdamW8bit`."""

    package = "torchao"
    optimizer = "torchao.optim:AdamW8bit"


before_forks(AdamW8bitTorchao.package)

scenario = AdamW8bitTorchao
