"""Failures of the Trainer of transformers, which has checkpoints of its own."""
# ruff: noqa: D103 (a case's name says what it does)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from small_runs import rename_in_zip


class _Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, inputs: Any, labels: Any = None) -> Any:
        return {"loss": self.layer(inputs).sum(), "logits": self.layer(inputs)}


def _trainer(path: str) -> Any:
    from transformers import Trainer, TrainingArguments

    data = [{"inputs": torch.ones(2), "labels": torch.ones(1)}] * 4
    settings = TrainingArguments(
        path, max_steps=2, save_steps=1, per_device_train_batch_size=2, report_to=[], use_cpu=True
    )
    return Trainer(model=_Model(), args=settings, train_dataset=data)


def _saved(path: str) -> Path:
    _trainer(path).train()
    return Path(path) / "checkpoint-1"


def trainer_without_weights(path: str) -> None:
    folder = _saved(path)
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    _trainer(path).train(resume_from_checkpoint=str(folder))


def trainer_without_checkpoint(path: str) -> None:
    _trainer(path).train(resume_from_checkpoint=True)


def trainer_newer_state(path: str) -> None:
    file = _saved(path) / "trainer_state.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "state_of_the_future": {}}))
    _trainer(path).train(resume_from_checkpoint=str(file.parent))


def trainer_other_numpy(path: str) -> None:
    file = _saved(path) / "rng_state.pth"
    rename_in_zip(file, b"numpy._core.multiarray", b"numpy.core.multiarray")
    _trainer(path).train(resume_from_checkpoint=str(file.parent))


def trainer_without_states(path: str) -> None:
    (_saved(path) / "rng_state.pth").unlink()
    _trainer(path).train(resume_from_checkpoint=str(Path(path) / "checkpoint-1"))


def trainer_optimizer_cut(path: str) -> None:
    file = _saved(path) / "optimizer.pt"
    file.write_bytes(file.read_bytes()[:-100])
    _trainer(path).train(resume_from_checkpoint=str(file.parent))
