"""Objects of the names, shapes and types of a saved state, every value of it changed at random.

They can be loaded into though the classes that the state was saved from are not known.
"""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from typing import Any

import torch

_Scheduler: Any = getattr(torch.optim.lr_scheduler, "LRScheduler", None) or (
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


def module(state: dict[str, Any], tied: tuple[tuple[str, ...], ...]) -> Node:
    """A module with such a state dict, every value another one."""
    extras = {
        name.rpartition(".")[0]: state[name] for name in state if name.rpartition(".")[2] == EXTRA
    }
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

    state: dict[Any, dict[str, Any]]
    param_groups: list[dict[str, Any]]

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
