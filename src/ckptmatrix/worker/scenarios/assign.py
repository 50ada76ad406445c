"""`load_state(..., assign=True)`: the model takes the file's tensors instead of copying them.

Then its parameters are others than those that the optimizer steps, so training stands still where
that works; readers from 0.33.0 on refuse the argument when the weights are safetensors.
"""

from __future__ import annotations

import inspect
from typing import Callable

import torch

from ckptmatrix.worker.release import accepts
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training


class Assign(Basic):
    """A load that hands `assign` on to `load_state_dict`."""

    def unsupported_reader(self, device: str) -> str:
        if not accepts("load_state", "load_model_func_kwargs"):
            return "its load_state hands nothing on to the model (0.16.0 is the first that does)"
        if "assign" not in inspect.signature(torch.nn.Module.load_state_dict).parameters:
            return "this torch's load_state_dict has no assign (2.1 is the first that has)"
        return ""

    def load(self, training: Training, directory: str, load_state: Callable[..., object]) -> None:
        load_state(training.accelerator, directory, assign=True)


scenario = Assign
