"""A training script as a generator, put to the test in two processes; runs in an environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from accelerate import Accelerator

from ckptmatrix.worker.script import Script


def train(resume_from: str | None = None) -> Iterator[str]:
    """A plain loop, with dropout, which draws otherwise in each process."""
    accelerator = Accelerator()
    model: Any = torch.nn.Sequential(
        torch.nn.Linear(4, 16), torch.nn.Dropout(0.3), torch.nn.Linear(16, 1)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    data: Any = torch.sin(torch.arange(128.0)).reshape(32, 4)
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    if resume_from:
        accelerator.load_state(resume_from)
    for _ in range(4):
        for inputs in loader:
            accelerator.backward(model(inputs).square().mean())
            optimizer.step()
            optimizer.zero_grad()
        accelerator.save_state("checkpoint")
        yield "checkpoint"


two = Script(train, processes=(2, 2))
