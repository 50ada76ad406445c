"""Two names for one tensor, as in a language model whose head shares the embedding's weights.

Safetensors holds a tensor once, so one of the two names is left out of the file; readers 0.25 to
0.32 then miss it (huggingface/accelerate#2807, mended by #2875 in 0.33.0).
"""

from __future__ import annotations

import torch

from ckptmatrix.worker.components import unwrap
from ckptmatrix.worker.scenarios.basic import FEATURES, Basic
from ckptmatrix.worker.training import Training


class Tied(torch.nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.Linear(FEATURES, FEATURES, bias=False)
        self.drop = torch.nn.Dropout(0.25)
        self.decoder = torch.nn.Linear(FEATURES, FEATURES)
        self.decoder.weight = self.encoder.weight

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.drop(torch.tanh(self.encoder(inputs)))).mean(1, keepdim=True)


class TiedWeights(Basic):
    """A model with two names for one tensor."""

    def model(self) -> torch.nn.Module:
        return Tied()

    def verify(self, training: Training) -> None:
        model = unwrap(training.models[0])
        if model.decoder.weight is not model.encoder.weight:
            raise RuntimeError("asked for tied weights, got two tensors")


scenario = TiedWeights
