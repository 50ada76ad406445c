"""What of a script's state is captured otherwise than elsewhere, and what its files hold of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ckptmatrix.worker import stored
from ckptmatrix.worker.components import (
    Component,
    CudaRandom,
    HookFiles,
    NumpyRandom,
    PythonRandom,
    TorchRandom,
    components_with,
    unwrap,
)
from ckptmatrix.worker.neutral import ABSENT, Neutral
from ckptmatrix.worker.words import Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training


class AtLoad(Component):
    """A random generator as it was when `load_state` returned.

    What the script draws or seeds afterwards is part of the training that follows.
    """

    of_each = True

    def __init__(self, inner: Component) -> None:
        self.inner = inner
        self.name = inner.name

    def keep(self, training: Training) -> None:
        """From now on it counts as it is now."""
        training.extra.at_load[self.name] = self.inner.capture(training)

    def capture(self, training: Training) -> Any:
        kept = training.extra.at_load
        return kept[self.name] if self.name in kept else self.inner.capture(training)

    def inject(self, training: Training, value: Any) -> None:
        self.inner.inject(training, value)


class Variables(HookFiles):
    """What the script keeps in variables of its own: name -> state."""

    def capture(self, training: Training) -> Any:
        states = {name: _state_of(item) for name, item in training.extra.watched.items()}
        return states or ABSENT

    def inject(self, training: Training, value: Any) -> None:
        for name, item in training.extra.watched.items():
            if hasattr(item, "load_state_dict"):
                item.load_state_dict(value[name])
            else:
                kept = item if isinstance(item, dict) else vars(item)
                kept.clear()
                kept.update(value[name])


GENERATORS = tuple(
    AtLoad(part) for part in (PythonRandom(), NumpyRandom(), TorchRandom(), CudaRandom())
)
COMPONENTS = components_with(*GENERATORS, Variables())


def can_be_put_back(item: Any) -> bool:
    """Whether a variable's state can be taken and put back without a new variable."""
    return hasattr(item, "load_state_dict") or isinstance(item, dict) or hasattr(item, "__dict__")


def _state_of(item: Any) -> Any:
    if hasattr(item, "load_state_dict"):
        return item.state_dict()
    return dict(item) if isinstance(item, dict) else dict(vars(item))


def stored_by_script(training: Training, directory: str) -> dict[str, Any]:
    """Component name -> value as it lies in the files.

    A weight counts as saved in whatever file it lies under its name, since hooks choose their own.
    What is watched is what the script says must come back, so it counts as saved.
    """
    models = {str(index): unwrap(model).state_dict() for index, model in enumerate(training.models)}
    files = list(_tensors_in(directory))
    found = {
        index: {
            name: value
            for name, value in state.items()
            if any(name in file and _same(file[name], value) for file in files)
        }
        for index, state in models.items()
    }
    return {
        **stored.stored(training, directory),
        Part.MODEL: found or ABSENT,
        Part.HOOK_FILES: Variables().capture(training),
    }


def _tensors_in(directory: str) -> Iterator[dict[str, Any]]:
    """What the files that this process has just written hold by name."""
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".safetensors") and stored.is_safetensors(path):
                yield stored.read_weights(path)
            elif name.endswith((".bin", ".pt", ".pth", ".safetensors")):
                value = stored.read(path)
                if isinstance(value, dict):
                    yield value


def _same(one: Any, other: Any) -> bool:
    return bool(Neutral.of({"": one}).leaves("") == Neutral.of({"": other}).leaves(""))
