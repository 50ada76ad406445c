"""Saved with the user's own `torch.compile`, loaded without: `_orig_mod.` fits no name."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.compiled import Compiled


class CompiledToPlain(Compiled):
    """A script that stopped compiling its model."""

    compiled = (True, False)


scenario = CompiledToPlain
