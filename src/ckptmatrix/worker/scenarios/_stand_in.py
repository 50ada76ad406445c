"""A user's own directory, loaded without the user's code: objects of the same names and shapes.

They are made from the directory's true state (read by the host from the files alone), every value
of it changed at random, so that nothing can be right by luck. What a model computes is not known,
so there is no training on; the components alone are judged.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections import defaultdict
from typing import Any

import torch

from ckptmatrix.worker.components import COMPONENTS, CudaRandom, Model
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.release import accepts, new_accelerator
from ckptmatrix.worker.stored import read, read_weights
from ckptmatrix.worker.training import Scenario, Training

_Scheduler = getattr(torch.optim.lr_scheduler, "LRScheduler", None) or (
    torch.optim.lr_scheduler._LRScheduler
)


def other(value: Any) -> Any:
    """Something of the same kind and shape, nowhere equal to `value`."""
    if isinstance(value, torch.Tensor):
        return _other_tensor(value)
    if isinstance(value, dict):
        return {key: other(item) for key, item in value.items()} or {"": random.random()}
    if isinstance(value, (list, tuple)):
        return type(value)(other(item) for item in value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + random.randint(1, 1 << 20)
    if isinstance(value, str):
        return f"{value} {random.random()}"
    return random.random()


def _other_tensor(value: torch.Tensor) -> torch.Tensor:
    if value.dtype == torch.bool:
        return ~value
    raw = value.contiguous().reshape(-1).view(torch.uint8)
    changed = raw + torch.randint(1, 256, raw.shape, dtype=torch.uint8)
    return changed.view(value.dtype).reshape(value.shape)


class Node(torch.nn.Module):
    """A module of parameters, buffers and modules; it computes nothing."""


class Extra(Node):
    """One with a state of its own beside its tensors."""

    def __init__(self, extra: Any) -> None:
        super().__init__()
        self.extra = extra

    def get_extra_state(self) -> Any:
        return self.extra

    def set_extra_state(self, state: Any) -> None:
        self.extra = state


EXTRA = "_extra_state"


def module(state: dict[str, Any], tied: list[list[str]]) -> Node:
    """A module with such a state dict, every value another one."""
    extras = {name.rpartition(".")[0]: state[name] for name in state if name.endswith(EXTRA)}
    root = Extra(other(extras[""])) if "" in extras else Node()
    first = {name: names[0] for names in tied for name in names[1:]}
    for name, value in state.items():
        *path, leaf = name.split(".")
        node, so_far = root, []
        for part in path:
            so_far.append(part)
            if part not in node._modules:
                prefix = ".".join(so_far)
                # Not by `add_module`: a saved name may be that of a method, such as `type`.
                node._modules[part] = Extra(other(extras[prefix])) if prefix in extras else Node()
            node = node._modules[part]
        if leaf == EXTRA:
            continue
        if value.is_floating_point() or value.is_complex():
            twin = first.get(name)
            node._parameters[leaf] = (
                _at(root, twin) if twin else torch.nn.Parameter(_other_tensor(value))
            )
        else:
            node._buffers[leaf] = _other_tensor(value)
    return root


def _at(root: Node, name: str) -> torch.nn.Parameter:
    *path, leaf = name.split(".")
    node = root
    for part in path:
        node = node._modules[part]
    return node._parameters[leaf]


class AnyOptimizer(torch.optim.Optimizer):
    """Takes the state of whatever optimizer as it is, as that optimizer's own class would."""

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, {"lr": lr})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state, mine = copy.deepcopy(state_dict), self.param_groups
        saved = state["param_groups"]
        if [len(group["params"]) for group in mine] != [len(group["params"]) for group in saved]:
            raise ValueError("loaded state dict has other parameter groups")
        parameters = [parameter for group in mine for parameter in group["params"]]
        self.state = defaultdict(dict)
        for index, slots in state["state"].items():
            self.state[parameters[index]] = slots
        self.param_groups = [{**new, "params": old["params"]} for new, old in zip(saved, mine)]


def optimizer(kind: str, state: dict[str, Any], device: torch.device) -> torch.optim.Optimizer:
    """An optimizer of the named class, or of any, with parameters of the shapes of its state.

    They are not the model's: which of those it steps is recorded nowhere.
    """
    groups = []
    for group in state["param_groups"]:
        like = [_shape(state["state"].get(index, {})) for index in group["params"]]
        parameters = [torch.empty(shape, dtype=dtype, device=device) for shape, dtype in like]
        groups.append({"params": [torch.nn.Parameter(each) for each in parameters]})
    made = getattr(torch.optim, kind, AnyOptimizer) if kind else AnyOptimizer
    return made(groups, lr=random.uniform(0.1, 0.9))


def _shape(slots: dict[str, Any]) -> tuple[Any, torch.dtype]:
    for name, value in slots.items():
        if isinstance(value, torch.Tensor) and name != "step" and value.is_floating_point():
            return value.shape, value.dtype
    return (1,), torch.float32


class AnyScheduler(_Scheduler):
    """A scheduler with whatever state, kept and loaded as torch's schedulers do."""

    def get_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]


def scheduler(stepped: torch.optim.Optimizer, state: dict[str, Any]) -> AnyScheduler:
    """A scheduler whose state has the same keys, and no further ones."""
    made = AnyScheduler(stepped)
    made.__dict__ = {"optimizer": stepped, **other(state or {"last_epoch": 0})}
    return made


class AnyObject:
    """A registered object that takes any state."""

    def __init__(self, state: Any) -> None:
        self.state = state

    def state_dict(self) -> Any:
        return self.state

    def load_state_dict(self, state: Any) -> None:
        self.state = state


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
        description: the JSON file that the host's `trying.stand_in.StandIn` was written to.
    """

    trains_on = False

    def __init__(self, description: str) -> None:
        with open(description, encoding="utf-8") as file:
            self.told = json.load(file)
        own = {"model": WholeModel(), "rng.cuda": SameGpus()}
        self.components = tuple(
            own.get(part.name, part) for part in COMPONENTS if part.name not in self.told["opaque"]
        )

    def unsupported(self, device: str) -> str:
        if self.told["hooks"] and not accepts("register_load_state_pre_hook", "hook"):
            return "it has no hooks for load_state (0.16.0 is the first that has)"
        return ""

    def build(self, device: str) -> Training:
        told, truth = self.told, Neutral.load(self.told["truth"])
        fp16 = {"mixed_precision": "fp16"} if told["scaler"] and device == "cuda" else {}
        accelerator = new_accelerator(device, **fp16)

        def states(name: str) -> dict[str, Any]:
            return truth.value(name) if name in truth.trees else {}

        models = [
            module(state, tied) for state, tied in zip(states("model").values(), told["tied"])
        ]
        base = [torch.nn.Linear(2, 2).requires_grad_(False)] if told["hooks"] else []
        none = {"state": {}, "param_groups": [{"params": [0]}]}
        saved = states("optimizer")
        optimizers = [
            optimizer(kind, saved.get(str(index), none), accelerator.device)
            for index, kind in enumerate(told["optimizers"])
        ]
        saved = states("scheduler")
        schedulers = [
            scheduler(optimizers[min(index, len(optimizers) - 1)], saved.get(str(index), {}))
            for index in range(told["schedulers"])
        ]
        objects = [*base, *models, *optimizers, *schedulers]
        prepared = accelerator.prepare(*objects) if objects else ()
        prepared = prepared if len(objects) > 1 else [prepared] * len(objects)
        ends = [len(base), len(models), len(optimizers), len(schedulers)]
        places = iter(prepared)
        _, models, optimizers, schedulers = [[next(places) for _ in range(end)] for end in ends]
        saved = states("custom")
        custom = [AnyObject(other(saved.get(str(index)))) for index in range(told["custom"])]
        for each in custom:
            accelerator.register_for_checkpointing(each)
        training = Training(accelerator, models, optimizers, schedulers, custom=custom)
        training.hooked = other(states("hook_files")) if "hook_files" in truth.trees else {}
        if hasattr(accelerator, "step"):
            accelerator.step = random.randint(10**6, 2 * 10**6)
        if told["hooks"]:
            accelerator.register_load_state_pre_hook(self._load_hook(training))
        return training

    def _load_hook(self, training: Training) -> Any:
        """What the script's hook does: load what accelerate did not save, and take it out."""
        files = [name for name in self.told["hooked"] if not name.endswith(".json")]
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
