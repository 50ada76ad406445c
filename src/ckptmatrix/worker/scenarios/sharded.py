"""Weights alone, in shards: `save_model(max_shard_size=...)`, read by `load_checkpoint_in_model`.

`load_state` reads no shards, in no release, so whatever loader is under test, these two functions
of accelerate are what is measured. What follows is evaluation, as nothing else was saved.
"""

from __future__ import annotations

import glob
import os
from typing import Any, Callable

import accelerate
import torch

from ckptmatrix.worker.components import Model, unwrap
from ckptmatrix.worker.release import accepts
from ckptmatrix.worker.scenarios.basic import Basic, Samples
from ckptmatrix.worker.stored import is_safetensors, read, read_weights
from ckptmatrix.worker.training import Training
from ckptmatrix.worker.words import Part

SHARD_BYTES = 200


class Sharded(Basic):
    """A model saved in several files with an index."""

    components = (Model(),)

    def unsupported(self, device: str) -> str:
        if not accepts("save_model", "max_shard_size"):
            return "it has no save_model (0.21.0 is the first that has)"
        return ""

    def unsupported_reader(self, device: str) -> str:
        if not hasattr(accelerate, "load_checkpoint_in_model"):
            return "it has no load_checkpoint_in_model"
        return ""

    def save(self, training: Training, parent: str) -> str:
        directory = os.path.join(parent, "weights")
        training.accelerator.save_model(training.models[0], directory, max_shard_size=SHARD_BYTES)
        if len(_shards(directory)) < 2:
            raise RuntimeError(f"asked for shards, got {sorted(os.listdir(directory))}")
        return directory

    def load(
        self, training: Training, directory: str, load_state: Callable[[Any, str], object]
    ) -> None:
        accelerate.load_checkpoint_in_model(unwrap(training.models[0]), directory)

    def stored(self, training: Training, directory: str) -> dict[str, Any]:
        tensors: dict[str, torch.Tensor] = {}
        for path in _shards(directory):
            tensors.update(read_weights(path) if is_safetensors(path) else read(path))
        return {Part.MODEL: {"0": tensors}}

    def after(self, training: Training) -> list[dict[str, Any]]:
        model, samples = training.models[0].eval(), Samples()
        with torch.no_grad():
            found = model(samples.inputs.to(training.accelerator.device)).cpu()
        return [{"samples": [i], "output": float(value).hex()} for i, value in enumerate(found)]


def _shards(directory: str) -> list[str]:
    return sorted(glob.glob(os.path.join(directory, "*-of-*")))


scenario = Sharded
