"""Model and optimizer of a DeepSpeed engine: each process's own part, captured and put back.

Up to ZeRO-2 a process holds the whole model, a slice of its master weights in fp32, and the state
of the optimizer for that slice; with ZeRO-3 of the model its slices alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from ckptmatrix.worker.components import Component, Model, Optimizer, components_with
from ckptmatrix.worker.words import Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training

COUNTS = "global_steps", "global_samples", "skipped_steps"
CLIPPING = "clip_grad"
"""The norm at which gradients are clipped: up to ZeRO-2 DeepSpeed saves it, and a load puts it into
the place of what is configured."""


def stage_of(engine: Any) -> int | None:
    """The ZeRO stage of a DeepSpeed engine; None for anything else."""
    if not any(kind.__name__ == "DeepSpeedEngine" for kind in type(engine).__mro__):
        return None
    return int(engine.zero_optimization_stage())


def flats(engine: Any) -> list[torch.Tensor]:
    """This process's slices of the weights in fp32, one for each group of parameters."""
    last = stage_of(engine) == 3
    name = "fp32_partitioned_groups_flat" if last else "single_partition_of_fp32_groups"
    return list(getattr(engine.optimizer, name))


def masters(engine: Any) -> list[torch.Tensor]:
    """The same as they are saved: up to ZeRO-2 without what fills the last process's slice up."""
    if stage_of(engine) == 3:
        return flats(engine)
    filling = engine.optimizer.groups_padding
    return [flat[: flat.numel() - more] for flat, more in zip(flats(engine), filling)]


@contextmanager
def base(engine: Any) -> Iterator[Any]:
    """The optimizer that DeepSpeed steps with: torch's, over the master slices.

    ZeRO-3 gives it the slices for each step alone.
    """
    zero = engine.optimizer
    if stage_of(engine) != 3:
        yield zero.optimizer
        return
    zero._set_fp32_optimizer_param_groups()
    yield zero.optimizer
    zero._clear_fp32_optimizer_param_groups()


class ZeroModel(Model):
    """This process's part of the parameters, its master slices, and the buffers."""

    of_each = True
    sliced = True

    def capture(self, training: Training) -> Any:
        return {
            str(index): {"weights": held(engine), "masters": masters(engine)}
            for index, engine in enumerate(training.models)
        }

    def inject(self, training: Training, value: Any) -> None:
        for index, engine in enumerate(training.models):
            mine = value[str(index)]
            with torch.no_grad():
                for name, tensor in held(engine).items():
                    tensor.copy_(mine["weights"][name])
                for tensor, kept in zip(masters(engine), mine["masters"]):
                    tensor.copy_(kept)


class ZeroOptimizer(Optimizer):
    """This process's part of the optimizer's state, and the parameter groups."""

    of_each = True
    sliced = True

    def capture(self, training: Training) -> Any:
        states = {}
        for index, engine in enumerate(training.models):
            with base(engine) as optimizer:
                states[str(index)] = optimizer.state_dict()
        return states

    def inject(self, training: Training, value: Any) -> None:
        for index, engine in enumerate(training.models):
            with base(engine) as optimizer:
                optimizer.load_state_dict(value[str(index)])


class EngineCounts(Component):
    """What DeepSpeed keeps of itself: steps, samples, steps left out, and where it clips."""

    name = Part.ENGINE.value

    def capture(self, training: Training) -> Any:
        return {
            str(index): {name: getattr(holder, name) for name, holder in _holders(engine).items()}
            for index, engine in enumerate(training.models)
        }

    def inject(self, training: Training, value: Any) -> None:
        for index, engine in enumerate(training.models):
            for name, holder in _holders(engine).items():
                setattr(holder, name, value[str(index)][name])


def _holders(engine: Any) -> dict[str, Any]:
    """Name of what DeepSpeed keeps of itself -> the object that has it."""
    clips = {} if stage_of(engine) == 3 else {CLIPPING: engine.optimizer}
    return {**dict.fromkeys(COUNTS, engine), **clips}


def held(engine: Any) -> dict[str, torch.Tensor]:
    """What this process holds of parameters and buffers."""
    parameters = {
        name: getattr(parameter, "ds_tensor", parameter).detach()
        for name, parameter in engine.module.named_parameters()
    }
    return {**parameters, **dict(engine.module.named_buffers())}


PARTITIONED = (ZeroModel(), ZeroOptimizer())
"""What each process holds in part."""

PARTITIONED_COMPONENTS = (*components_with(*PARTITIONED), EngineCounts())
"""What is verified on its own in a training by DeepSpeed."""
