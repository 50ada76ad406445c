"""The reader's model has a buffer that the checkpoint does not: `load_state(..., strict=False)`.

As when the model's code was extended since. Compared is what both have.
"""

from __future__ import annotations

from typing import Any, Callable

import torch

from ckptmatrix.worker.components import Model, components_with, unwrap
from ckptmatrix.worker.release import accepts
from ckptmatrix.worker.scenarios.basic import Basic
from ckptmatrix.worker.training import Training

NEW = "temperature"


class CommonModel(Model):
    """The model without what the reader's has more."""

    def capture(self, training: Training) -> Any:
        state = unwrap(training.models[0]).state_dict()
        return {"0": {name: value for name, value in state.items() if name != NEW}}

    def inject(self, training: Training, value: Any) -> None:
        unwrap(training.models[0]).load_state_dict(value["0"], strict=False)


class StrictFalse(Basic):
    """The model's buffers are a part of the reader's."""

    components = components_with(CommonModel())

    def __init__(self) -> None:
        self.extended = False

    def unsupported_reader(self, device: str) -> str:
        if not accepts("load_state", "load_model_func_kwargs"):
            return "its load_state hands nothing on to the model (0.16.0 is the first that does)"
        return ""

    def model(self) -> torch.nn.Module:
        model = super().model()
        if self.extended:
            model.register_buffer(NEW, torch.ones(()))
        return model

    def build_reader(self, device: str) -> Training:
        self.extended = True
        return self.build(device)

    def verify(self, training: Training) -> None:
        if (NEW in unwrap(training.models[0]).state_dict()) != self.extended:
            raise RuntimeError("asked for a buffer more in the reader's model")

    def load(self, training: Training, directory: str, load_state: Callable[..., object]) -> None:
        load_state(training.accelerator, directory, strict=False)


scenario = StrictFalse
