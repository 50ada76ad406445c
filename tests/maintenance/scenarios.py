"""Scenarios that no judge should be content with; they run inside environments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ckptmatrix.worker.components import COMPONENTS, Component
from ckptmatrix.worker.scenarios.basic import Basic

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training


class Motto(Component):
    """Something that is the same in every training."""

    name = "motto"

    def capture(self, training: Training) -> Any:
        return "festina lente"

    def inject(self, training: Training, value: Any) -> None:
        pass


class Constant(Basic):
    """Has a component that is right whatever a load does."""

    components = (*COMPONENTS, Motto())


class Stateless(Basic):
    """Verifies nothing at all."""

    components = ()


class Ended(Basic):
    """Does not train on after the load."""

    def after(self, training: Training) -> list[dict[str, Any]]:
        return []


class Broken(Basic):
    """Its load leaves an optimizer that cannot take another step."""

    def load(self, training: Training, directory: str, load_state: Any) -> None:
        super().load(training, directory, load_state)
        for slots in training.optimizers[0].state.values():
            del slots["exp_avg"]
