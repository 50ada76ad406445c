"""Two processes that shuffle: accelerate gives the sampler a generator of its own, to share it.

Its state is in no file: the epoch after a resume has not the order that it would have had.
"""

from __future__ import annotations

import torch

from ckptmatrix.worker.scenarios.basic import BATCH, Samples
from ckptmatrix.worker.scenarios.ddp_2 import Ddp2


class Ddp2Shuffled(Ddp2):
    """`DataLoader(shuffle=True)` in two processes."""

    def dataloader(self) -> torch.utils.data.DataLoader:
        return torch.utils.data.DataLoader(Samples(), batch_size=BATCH, shuffle=True)


scenario = Ddp2Shuffled
