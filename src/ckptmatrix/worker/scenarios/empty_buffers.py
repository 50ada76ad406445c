"""Two buffers without elements: places that this configuration of the model does not use.

Both have no memory at all, so from 0.25.0 on they look like one tensor with two names; one name is
dropped at the save, with a warning, and the load misses it.
"""

from __future__ import annotations

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.scenarios.basic import Basic, network
from ckptmatrix.worker.training import Training


class EmptyBuffers(Basic):
    """A model with two zero-size buffers."""

    def model(self) -> torch.nn.Module:
        model = network()
        model.register_buffer("cache", torch.empty(0))
        model.register_buffer("mask", torch.empty(0))
        return model

    def verify(self, training: Training) -> None:
        model = unwrap(training.models[0])
        if model.cache.numel() or model.mask.numel():
            raise RuntimeError("asked for two empty buffers")


scenario = EmptyBuffers
