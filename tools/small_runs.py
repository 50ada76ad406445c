"""Small trainings for `raise_failures.py`: a network, a registered object, a run.

Runs inside an environment with torch and accelerate and needs nothing else.
"""
# ruff: noqa: D102, D103 (names say what they do)

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator


class Net(torch.nn.Module):
    """Two layers; the second shares the weight of the first if `tied`."""

    def __init__(self, width: int = 4, tied: bool = False) -> None:
        super().__init__()
        self.first = torch.nn.Linear(4, width, bias=False)
        self.head = torch.nn.Linear(width, 4, bias=False)
        if tied:
            self.head.weight = self.first.weight

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.head(self.first(inputs))


class Custom:
    """A registered object with a numpy array."""

    def __init__(self) -> None:
        self.value = np.arange(3.0)

    def state_dict(self) -> dict[str, Any]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value = state["value"]


class Run:
    """One training with everything that accelerate saves."""

    def __init__(
        self,
        model: Any = None,
        optimizer: Any = None,
        groups: int = 1,
        custom: int = 0,
        scaler: bool = False,
        scheduler: Any = None,
        **kwargs: Any,
    ) -> None:
        self.accelerator = Accelerator(cpu=True, **kwargs)
        self.raw = model if model is not None else Net()
        parameters = list(self.raw.parameters())
        if groups == 2:
            parameters = [{"params": parameters[:1]}, {"params": parameters[1:]}]
        make = optimizer or torch.optim.AdamW
        optimizer = make(parameters, lr=0.01)
        make_scheduler = scheduler or (lambda o: torch.optim.lr_scheduler.StepLR(o, 1))
        scheduler = make_scheduler(optimizer)
        self.model, self.optimizer, self.scheduler = self.accelerator.prepare(
            self.raw, optimizer, scheduler
        )
        if custom:
            self.accelerator.register_for_checkpointing(*[Custom() for _ in range(custom)])
        if scaler:
            self.accelerator.scaler = torch.amp.GradScaler("cpu")

    def train(self) -> Run:
        self.accelerator.backward(self.model(torch.ones(2, 4)).sum())
        self.optimizer.step()
        self.scheduler.step()
        return self

    def save(self, directory: str | None, **kwargs: Any) -> Run:
        self.accelerator.save_state(directory, **kwargs)
        return self

    def load(self, directory: str | None = None, **kwargs: Any) -> Run:
        self.accelerator.load_state(directory, **kwargs)
        return self


def saved(path: str, **kwargs: Any) -> str:
    Run(**kwargs).train().save(path)
    return path


def rewritten(path: str, name: str, change: Callable[[Any], None]) -> str:
    file = Path(path) / name
    value = torch.load(file, weights_only=False)
    change(value)
    torch.save(value, file)
    return path


def rename_in_zip(file: Path, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(file) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in records.items():
            archive.writestr(name, data.replace(old, new) if name.endswith("data.pkl") else data)
