"""Model and optimizer of fully sharded training: each process's own part, captured and put back.

Serves FSDP1 (flat parameters, of which a process holds a plain slice) and FSDP2 (`DTensor`s). What
is in the files is compared with the whole, as torch itself gathers it from all processes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import torch

from ckptmatrix.worker import layout, stored
from ckptmatrix.worker.components import Model, Optimizer, components_with
from ckptmatrix.worker.neutral import Leaves, Neutral
from ckptmatrix.worker.shards import whole

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training


def kind_of(model: Any) -> str:
    """`FSDP1`, `FSDP2`, or the class's name for what is not sharded."""
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        return "FSDP1"
    if any(hasattr(parameter, "to_local") for parameter in model.parameters()):
        return "FSDP2"
    return type(model).__name__


def local(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of a tensor."""
    held = tensor.detach()
    return held.to_local() if hasattr(held, "to_local") else held


class ShardedModel(Model):
    """This process's slices of the parameters, and the buffers."""

    of_each = True
    sliced = True

    def in_files(self, training: Training, directory: str) -> bool:
        """Whether the files hold the whole of it. All processes ask together."""
        from torch.distributed.checkpoint.state_dict import get_model_state_dict

        names = layout.FSDP_WEIGHTS, layout.FSDP_WEIGHTS_EARLY
        options = gathered()
        return all(
            _held(get_model_state_dict(model, options=options), _read(directory, index, names))
            for index, model in enumerate(training.models)
        )

    def capture(self, training: Training) -> Any:
        return {
            str(index): {name: local(tensor) for name, tensor in _tensors(model).items()}
            for index, model in enumerate(training.models)
        }

    def inject(self, training: Training, value: Any) -> None:
        for index, model in enumerate(training.models):
            for name, tensor in _tensors(model).items():
                local(tensor).copy_(value[str(index)][name])


class ShardedOptimizer(Optimizer):
    """This process's slices of the optimizer's state, and the parameter groups."""

    of_each = True
    sliced = True

    def in_files(self, training: Training, directory: str) -> bool:
        """Whether the files hold the whole of it. All processes ask together."""
        from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

        options = gathered()
        pairs = zip(training.models, training.optimizers)
        return all(
            _held(
                *_by_name(
                    get_optimizer_state_dict(model, bare(optimizer), options=options),
                    _read(directory, index, (layout.FSDP_OPTIMIZER,)),
                )
            )
            for index, (model, optimizer) in enumerate(pairs)
        )

    def capture(self, training: Training) -> Any:
        return {
            str(index): _mapped(optimizer.state_dict(), local)
            for index, optimizer in enumerate(training.optimizers)
        }

    def inject(self, training: Training, value: Any) -> None:
        for index, optimizer in enumerate(training.optimizers):
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            state = {
                key: _mapped(slots, lambda tensor, like=parameters[key]: _like(tensor, like))
                for key, slots in value[str(index)]["state"].items()
            }
            optimizer.load_state_dict({**value[str(index)], "state": state})


def bare(optimizer: Any) -> Any:
    """The optimizer itself, without accelerate's wrapper around it."""
    return getattr(optimizer, "optimizer", optimizer)


def gathered() -> Any:
    """Asks torch for what all processes hold together."""
    from torch.distributed.checkpoint.state_dict import StateDictOptions  # only who shards needs it

    return StateDictOptions(full_state_dict=True)


def _read(directory: str, index: int, names: tuple[str, ...]) -> Any:
    """What the files of the index-th object hold: one file, or a folder of shards."""
    for name in names:
        folder = os.path.join(directory, f"{name}_{index}")
        file = (folder if index else os.path.join(directory, name)) + ".bin"
        if os.path.isdir(folder):
            (content,) = whole(folder).values()
            return content
        if os.path.exists(file):
            return stored.read(file)
    return {}


def _by_name(asked: Any, content: Any) -> tuple[Any, Any]:
    """Both with the state by names of parameters, as accelerate 1.6 saves it of FSDP2 by number."""
    names = [name for group in asked["param_groups"] for name in group.pop("params")]
    state = {
        names[int(key)] if str(key).isdigit() else key: slots
        for key, slots in content.get("state", {}).items()
    }
    return asked, {**content, "state": state}


def _held(asked: Any, content: Any) -> bool:
    """Whether every value that is asked for is there, whatever is there beside it."""
    wanted, found = _leaves(asked), _leaves(content)
    return bool(wanted) and all(found.get(path) == leaf for path, leaf in wanted.items())


def _leaves(tree: Any) -> Leaves:
    return Neutral.of({"": _mapped(tree, lambda tensor: tensor)}).leaves("")


def _tensors(model: Any) -> dict[str, torch.Tensor]:
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _mapped(tree: Any, change: Any) -> Any:
    """The same tree with every tensor changed."""
    if isinstance(tree, torch.Tensor):
        return change(tree)
    if isinstance(tree, dict):
        return {key: _mapped(value, change) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        items = [_mapped(value, change) for value in tree]
        # FSDP leaves records of its own in a state that was not whole.
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    return tree


def _like(tensor: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A slice laid out as its parameter is; numbers such as a count of steps stay as they are."""
    if not hasattr(parameter, "to_local") or tensor.dim() == 0:
        return tensor
    from torch.distributed.tensor import DTensor  # only there where FSDP2 is

    on_device = tensor.to(local(parameter).device)
    return DTensor.from_local(
        on_device,
        parameter.device_mesh,
        parameter.placements,
        shape=parameter.shape,
        stride=parameter.stride(),
    )


SHARDED_COMPONENTS = components_with(ShardedModel(), ShardedOptimizer())
"""What is verified on its own in fully sharded training."""
