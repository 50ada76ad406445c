"""The reader's script registers one object more than the writer's did: it was added since."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.custom_objects_fewer import CustomObjectsFewer


class CustomObjectsMore(CustomObjectsFewer):
    """One object saved, two registered by the reader."""

    counts = (1, 2)


scenario = CustomObjectsMore
