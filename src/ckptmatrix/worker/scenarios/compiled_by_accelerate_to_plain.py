"""Saved by a script in which accelerate compiles, loaded by one in which it does not."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.compiled_by_accelerate import CompiledByAccelerate


class CompiledByAccelerateToPlain(CompiledByAccelerate):
    """A script that took `dynamo_backend` out."""

    compiled = (True, False)


scenario = CompiledByAccelerateToPlain
