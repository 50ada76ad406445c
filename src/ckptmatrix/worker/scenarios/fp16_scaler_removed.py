"""Saved in float16, resumed in full precision: `scaler.pt` is left unread. On a GPU only."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.fp16_scaler_added import Fp16ScalerAdded


class Fp16ScalerRemoved(Fp16ScalerAdded):
    """The writer's script had `mixed_precision="fp16"`, the reader's has not."""

    precisions = ("fp16", "no")


scenario = Fp16ScalerRemoved
