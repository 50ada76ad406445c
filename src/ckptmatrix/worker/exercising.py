"""Do in the worker itself what every cell does with torch, so that no child is the first to do it.

Only where that leaves a process that may be forked (`Server` lets a child try it), and never with a
GPU in sight: autograd starts a thread for each, and CUDA with it.

What a process does for the first time costs several times as much: the interpreter specialises its
code, tables are filled, and a child copies every page that this writes to. Exercised are torch,
numpy, safetensors and the judge; never accelerate, which is under test: each cell is the first that
meets it.
"""

from __future__ import annotations

import inspect
import os
import random
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import safetensors.torch
import torch

from ckptmatrix.worker.judging import judge
from ckptmatrix.worker.neutral import Leaves, Neutral
from ckptmatrix.worker.scenarios.basic import BATCH, Samples, network
from ckptmatrix.worker.stored import read

_TIMES = 9
"""The interpreter specialises a function from its eighth call on (PEP 659)."""

_CAREFULLY = (
    {"weights_only": True} if "weights_only" in inspect.signature(torch.load).parameters else {}
)


def often(what: Callable[[], None]) -> None:
    """Do it as often as it takes to be fast."""
    for _ in range(_TIMES):
        what()


def exercise() -> None:
    """Train, save and load a small model; the generators are left elsewhere."""
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4)
    before = _leaves(model, optimizer, scheduler)
    for _, inputs, targets in torch.utils.data.DataLoader(Samples(), BATCH, shuffle=True):
        torch.nn.functional.mse_loss(model(inputs), targets).backward()
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
    states = {
        "optimizer.bin": optimizer.state_dict(),
        "scheduler.bin": scheduler.state_dict(),
        "random_states_0.pkl": {"random_state": random.getstate(), "numpy": np.random.get_state()},
    }
    with tempfile.TemporaryDirectory() as place:
        weights = os.path.join(place, "model.safetensors")
        safetensors.torch.save_file(model.state_dict(), weights)
        model.load_state_dict(safetensors.torch.load_file(weights))
        for name, state in states.items():
            path = os.path.join(place, name)
            torch.save(state, path)
            read(path)
            if _CAREFULLY and "random" not in name:
                torch.load(path, **_CAREFULLY)
    after = _leaves(model, optimizer, scheduler)
    judge(after, before, after, {})


def _leaves(*parts: Any) -> dict[str, Leaves]:
    return Neutral.of({type(part).__name__: part.state_dict() for part in parts}).all_leaves()
