"""Saved without `torch.compile`, loaded with the user's own: the model wants `_orig_mod.` names."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.compiled import Compiled


class PlainToCompiled(Compiled):
    """A script that began to compile its model."""

    compiled = (False, True)


scenario = PlainToCompiled
