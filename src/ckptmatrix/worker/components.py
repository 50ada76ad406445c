"""The parts of a training state that are verified on their own: how each is captured and put back.

A component knows nothing of checkpoints; what a writer put into its files is `stored.py`'s matter.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ckptmatrix.worker.neutral import ABSENT
from ckptmatrix.worker.words import Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training


def unwrap(model: Any) -> Any:
    """The user's own module: without DistributedDataParallel and torch.compile around it."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ == "DistributedDataParallel":
            inner = model.module
        if inner is None:
            return model
        model = inner


class Component:
    """One part of the training state."""

    name: str = ""
    of_each = False
    """Whether every process of a training has its own, rather than all of them the same."""
    sliced = False
    """Whether what is saved for all is held by each process in part, so that one value in the files
    may be of one process alone."""

    def capture(self, training: Training) -> Any:
        """Its live value as tensors, arrays and plain Python values, or `ABSENT`."""
        raise NotImplementedError

    def fits(self, training: Training, value: Any) -> bool:
        """Whether the live state is of the kind that was captured, so that it can be put in."""
        return self.capture(training) is not ABSENT

    def inject(self, training: Training, value: Any) -> None:
        """Make the live state equal to a captured value."""
        raise NotImplementedError


class _Listed(Component):
    """A list of objects with `state_dict` and `load_state_dict`: index -> state."""

    def _objects(self, training: Training) -> list[Any]:
        raise NotImplementedError

    def capture(self, training: Training) -> Any:
        states = {
            str(index): item.state_dict() for index, item in enumerate(self._objects(training))
        }
        return states or ABSENT

    def inject(self, training: Training, value: Any) -> None:
        for index, item in enumerate(self._objects(training)):
            item.load_state_dict(value[str(index)])


class Model(_Listed):
    """Parameters and persistent buffers of every model, by name."""

    name = Part.MODEL.value

    def _objects(self, training: Training) -> list[Any]:
        return [unwrap(model) for model in training.models]


class Optimizer(_Listed):
    """State and parameter groups of every optimizer."""

    name = Part.OPTIMIZER.value

    def _objects(self, training: Training) -> list[Any]:
        return training.optimizers

    def capture(self, training: Training) -> Any:
        states = {}
        for index, optimizer in enumerate(training.optimizers):
            state = optimizer.state_dict()
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            # A state dict shows state that belongs to no parameter as if it did; nothing uses it.
            used = {
                i: slots for i, slots in state["state"].items() if _has(optimizer, parameters, i)
            }
            states[str(index)] = {**state, "state": used}
        return states or ABSENT


def _has(optimizer: Any, parameters: list[Any], index: Any) -> bool:
    return index in range(len(parameters)) and parameters[index] in optimizer.state


class Scheduler(_Listed):
    """State of every scheduler, the learning rates among it."""

    name = Part.SCHEDULER.value

    def _objects(self, training: Training) -> list[Any]:
        return training.schedulers


class Scaler(Component):
    """The gradient scaler of fp16 training."""

    name = Part.SCALER.value

    def capture(self, training: Training) -> Any:
        scaler = getattr(training.accelerator, "scaler", None)
        return ABSENT if scaler is None else scaler.state_dict()

    def inject(self, training: Training, value: Any) -> None:
        training.accelerator.scaler.load_state_dict(value)


class Dataloader(Component):
    """Position of every dataloader that keeps one of its own.

    accelerate's seedable sampler has an epoch and a seed; the loader counts its epochs too
    (`iteration`) and overrides the sampler's by it as the next one begins. A plain shuffling
    sampler has the state of its generator, which accelerate gives it where several processes must
    agree on the order; without one the order comes from torch's own generator.
    """

    name = Part.DATALOADER.value

    def _samplers(self, training: Training) -> dict[str, tuple[Any, Any]]:
        found = {}
        for index, loader in enumerate(training.dataloaders):
            batches = getattr(loader, "batch_sampler", None)
            # Under several processes the batch sampler is wrapped once more.
            sampler = getattr(getattr(batches, "batch_sampler", batches), "sampler", None)
            if _is_seedable(sampler) or getattr(sampler, "generator", None) is not None:
                found[str(index)] = loader, sampler
        return found

    def capture(self, training: Training) -> Any:
        found = {}
        for index, (loader, sampler) in self._samplers(training).items():
            if _is_seedable(sampler):
                place = {"epoch": sampler.epoch, "iteration": loader.iteration}
                found[index] = {**place, "seed": _seed(sampler)}
            else:
                found[index] = {"generator": sampler.generator.get_state()}
        return found or ABSENT

    def fits(self, training: Training, value: Any) -> bool:
        # One release shuffles by a generator, another by epoch and seed: neither has the other's.
        mine = self.capture(training)
        return mine is not ABSENT and all(
            mine[index].keys() == value.get(index, {}).keys() for index in mine
        )

    def inject(self, training: Training, value: Any) -> None:
        for index, (loader, sampler) in self._samplers(training).items():
            kept = value.get(index, {})
            if "generator" in kept:
                sampler.generator.set_state(kept["generator"])
            elif kept:
                sampler.epoch, loader.iteration = kept["epoch"], kept["iteration"]
                _set_seed(sampler, kept["seed"])


def _is_seedable(sampler: Any) -> bool:
    return type(sampler).__name__ == "SeedableRandomSampler"


def _seed(sampler: Any) -> int:
    """What the next epoch's number is added to: `initial_seed` from 0.26 on, before it `seed`,
    overridden by the generator's as soon as there is one (0.25), and no attribute at all (0.24)."""
    if hasattr(sampler, "initial_seed"):
        return int(sampler.initial_seed)
    if sampler.generator is not None:
        return int(sampler.generator.initial_seed())
    return int(getattr(sampler, "seed", 0))


def _set_seed(sampler: Any, seed: int) -> None:
    name = "initial_seed" if hasattr(sampler, "initial_seed") else "seed"
    setattr(sampler, name, seed)
    if sampler.generator is None:
        sampler.generator = torch.Generator()
    sampler.generator.manual_seed(seed)


class PythonRandom(Component):
    """Python's global generator."""

    name = Part.PYTHON_RANDOM.value
    of_each = True

    def capture(self, training: Training) -> Any:
        return random.getstate()

    def inject(self, training: Training, value: Any) -> None:
        random.setstate(value)


class NumpyRandom(Component):
    """numpy's global generator."""

    name = Part.NUMPY_RANDOM.value
    of_each = True

    def capture(self, training: Training) -> Any:
        return np.random.get_state()

    def inject(self, training: Training, value: Any) -> None:
        np.random.set_state(value)


class TorchRandom(Component):
    """torch's CPU generator."""

    name = Part.TORCH_RANDOM.value
    of_each = True

    def capture(self, training: Training) -> Any:
        return torch.get_rng_state()

    def inject(self, training: Training, value: Any) -> None:
        torch.set_rng_state(value)


class CudaRandom(Component):
    """torch's generators of all visible GPUs; absent when the training runs on the CPU."""

    name = Part.CUDA_RANDOM.value
    of_each = True

    def capture(self, training: Training) -> Any:
        return torch.cuda.get_rng_state_all() if training.device == "cuda" else ABSENT

    def inject(self, training: Training, value: Any) -> None:
        torch.cuda.set_rng_state_all(value)


class Step(Component):
    """`accelerator.step`, the count of micro-batches; absent in releases without `accumulate`."""

    name = Part.STEP.value

    def capture(self, training: Training) -> Any:
        return getattr(training.accelerator, "step", ABSENT)

    def inject(self, training: Training, value: Any) -> None:
        training.accelerator.step = value


class Custom(_Listed):
    """Objects registered with `register_for_checkpointing`."""

    name = Part.CUSTOM.value

    def _objects(self, training: Training) -> list[Any]:
        return training.custom


class HookFiles(Component):
    """What the script's own save and load hooks carry."""

    name = Part.HOOK_FILES.value

    def capture(self, training: Training) -> Any:
        return dict(training.hooked) or ABSENT

    def inject(self, training: Training, value: Any) -> None:
        training.hooked.clear()
        training.hooked.update(value)


COMPONENTS: tuple[Component, ...] = (
    Model(),
    Optimizer(),
    Scheduler(),
    Scaler(),
    Dataloader(),
    PythonRandom(),
    NumpyRandom(),
    TorchRandom(),
    CudaRandom(),
    Step(),
    Custom(),
    HookFiles(),
)


def components_with(*others: Component) -> tuple[Component, ...]:
    """All of them, with others in the places of those that have the same names."""
    by_name = {part.name: part for part in others}
    return tuple(by_name.get(part.name, part) for part in COMPONENTS)
