"""Model and optimizer of fully sharded training as what all processes hold together, by names.

So they can be compared where a checkpoint is loaded by another number of processes, or under the
other FSDP: no slice is what a slice was, and the whole is. All processes ask together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ckptmatrix.worker.components import components_with
from ckptmatrix.worker.sharding import ShardedModel, ShardedOptimizer, bare, gathered

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training


class WholeModel(ShardedModel):
    """Parameters and buffers, gathered."""

    of_each = False
    sliced = False

    def capture(self, training: Training) -> Any:
        from torch.distributed.checkpoint.state_dict import get_model_state_dict

        return {
            str(index): get_model_state_dict(model, options=gathered())
            for index, model in enumerate(training.models)
        }

    def inject(self, training: Training, value: Any) -> None:
        from torch.distributed.checkpoint.state_dict import set_model_state_dict

        for index, model in enumerate(training.models):
            set_model_state_dict(model, value[str(index)], options=gathered())


class WholeOptimizer(ShardedOptimizer):
    """State by names of parameters, gathered; and the groups' numbers."""

    of_each = False
    sliced = False

    def capture(self, training: Training) -> Any:
        pairs = zip(training.models, training.optimizers)
        return {
            str(index): {"state": _state(model, bare(optimizer)), "groups": _groups(optimizer)}
            for index, (model, optimizer) in enumerate(pairs)
        }

    def inject(self, training: Training, value: Any) -> None:
        from torch.distributed.checkpoint import state_dict

        options = gathered()
        for index, (model, wrapped) in enumerate(zip(training.models, training.optimizers)):
            optimizer, wanted = bare(wrapped), value[str(index)]
            whole: Any = state_dict.get_optimizer_state_dict(model, optimizer, options=options)
            whole["state"] = wanted["state"]
            state_dict.set_optimizer_state_dict(model, optimizer, whole, options=options)
            for group, numbers in zip(optimizer.param_groups, wanted["groups"]):
                group.update(numbers)


def _state(model: Any, optimizer: Any) -> Any:
    """What the optimizer keeps; torch would give one that keeps nothing yet a state, so unasked."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

    keeps = torch.tensor(int(bool(optimizer.state)))
    torch.distributed.all_reduce(keeps, torch.distributed.ReduceOp.MIN)
    if not keeps:
        return {}
    found: Any = get_optimizer_state_dict(model, optimizer, options=gathered())
    return found["state"]


def _groups(optimizer: Any) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]


WHOLE_COMPONENTS = components_with(WholeModel(), WholeOptimizer())
"""What is verified on its own where slices cannot be compared."""
