"""The reader's script registers one object fewer than the writer's did.

Up to 0.20.3 a warning; from 0.21.0 on an error, raised after everything else was loaded. Only the
objects that both have are compared.
"""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.components import Custom, components_with
from ckptmatrix.worker.scenarios.basic import Basic, Counter
from ckptmatrix.worker.training import Training

COMMON = 1


class CommonCustom(Custom):
    """The registered objects that writer and reader both have."""

    def _objects(self, training: Training) -> list[Any]:
        return training.custom[:COMMON]


class CustomObjectsFewer(Basic):
    """Two objects saved, one registered by the reader."""

    components = components_with(CommonCustom())
    counts = (2, 1)
    """How many objects the writer registers, and how many the reader."""

    def __init__(self) -> None:
        self.count = self.counts[0]

    def build_reader(self, device: str) -> Training:
        self.count = self.counts[1]
        return self.build(device)

    def custom(self) -> list[Any]:
        return [Counter() for _ in range(self.count)]

    def verify(self, training: Training) -> None:
        registered = len(training.accelerator._custom_objects)
        if registered != self.count:
            raise RuntimeError(f"asked for {self.count} registered objects, got {registered}")


scenario = CustomObjectsFewer
