"""A user's own directory, loaded without the user's code: objects of the same names and shapes.

They are made from the directory's true state (read by the host from the files alone), every value
of it changed at random, so that nothing can be right by luck. What a model computes is not known,
so there is no training on; the components alone are judged.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import torch

from ckptmatrix.worker.components import (
    CudaRandom,
    Model,
    components_with,
)
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.release import accepts, new_accelerator
from ckptmatrix.worker.scenarios._look_alikes import (
    AnyObject,
    module,
    optimizer,
    other,
    scheduler,
)
from ckptmatrix.worker.stand_in import read_stand_in
from ckptmatrix.worker.stored import read, read_weights
from ckptmatrix.worker.training import Scenario, Training
from ckptmatrix.worker.words import Part


class WholeModel(Model):
    """The models as they are: a saved name may begin like the wrapper of a compiled one."""

    def _objects(self, training: Training) -> list[Any]:
        return training.models


class SameGpus(CudaRandom):
    """The generators of the GPUs, where there are as many as were saved."""

    def fits(self, training: Training, value: Any) -> bool:
        return super().fits(training, value) and len(value) == torch.cuda.device_count()


class StandIn(Scenario):
    """The objects that a directory was saved from, as far as its files tell.

    Args:
        description: the file that `stand_in.StandIn` was written to.
    """

    trains_on = False

    def __init__(self, description: str) -> None:
        with open(description, encoding="utf-8") as file:
            self.described = read_stand_in(file.read())
        self.components = tuple(
            part
            for part in components_with(WholeModel(), SameGpus())
            if part.name not in self.described.opaque
        )

    def unsupported(self, device: str) -> str:
        if self.described.hooks and not accepts("register_load_state_pre_hook", "hook"):
            return "it has no hooks for load_state (0.16.0 is the first that has)"
        return ""

    def build(self, device: str) -> Training:
        described, truth = self.described, Neutral.load(self.described.truth)
        fp16 = {"mixed_precision": "fp16"} if described.scaler and device == "cuda" else {}
        accelerator = new_accelerator(device, **fp16)

        def states(name: str) -> dict[str, Any]:
            return truth.value(name) if name in truth.trees else {}

        models = [
            module(state, tied) for state, tied in zip(states(Part.MODEL).values(), described.tied)
        ]
        base = [torch.nn.Linear(2, 2).requires_grad_(False)] if described.hooks else []
        none = {"state": {}, "param_groups": [{"params": [0]}]}
        saved = states(Part.OPTIMIZER)
        optimizers = [
            optimizer(kind, saved.get(str(index), none), accelerator.device)
            for index, kind in enumerate(described.optimizers)
        ]
        saved = states(Part.SCHEDULER)
        schedulers = [
            scheduler(optimizers[min(index, len(optimizers) - 1)], saved.get(str(index), {}))
            for index in range(described.schedulers)
        ]
        objects = [*base, *models, *optimizers, *schedulers]
        prepared = accelerator.prepare(*objects) if objects else ()
        prepared = prepared if len(objects) > 1 else [prepared] * len(objects)
        ends = [len(base), len(models), len(optimizers), len(schedulers)]
        places = iter(prepared)
        _, models, optimizers, schedulers = [[next(places) for _ in range(end)] for end in ends]
        saved = states(Part.CUSTOM)
        custom = [AnyObject(other(saved.get(str(index)))) for index in range(described.custom)]
        for each in custom:
            accelerator.register_for_checkpointing(each)
        training = Training(accelerator, models, optimizers, schedulers, custom=custom)
        if Part.HOOK_FILES in truth.trees:
            training.hooked = other(states(Part.HOOK_FILES))
        if hasattr(accelerator, "step"):
            accelerator.step = random.randint(10**6, 2 * 10**6)
        if described.hooks:
            accelerator.register_load_state_pre_hook(self._load_hook(training))
        return training

    def _load_hook(self, training: Training) -> Any:
        """What the script's hook does: load what accelerate did not save, and take it out."""
        files = [name for name in self.described.hooked if not name.endswith(".json")]
        files = [name for name in files if name not in training.hooked]
        own = training.models[len(training.models) - len(files) :]

        def load_hook(models: list[Any], directory: str) -> None:
            for index in reversed(range(len(models))):
                place = [i for i, each in enumerate(own) if each is models[index]]
                if place:
                    own[place[0]].load_state_dict(_tensors(directory, files[place[0]]))
                if place or not any(models[index] is each for each in training.models):
                    models.pop(index)
            for name in training.hooked:
                training.hooked[name] = _content(directory, name)

        return load_hook


def _tensors(directory: str, name: str) -> dict[str, Any]:
    path = os.path.join(directory, name)
    return read_weights(path) if name.endswith(".safetensors") else read(path)


def _content(directory: str, name: str) -> Any:
    if not name.endswith(".json"):
        return _tensors(directory, name)
    with open(os.path.join(directory, name), encoding="utf-8") as file:
        return json.load(file)
