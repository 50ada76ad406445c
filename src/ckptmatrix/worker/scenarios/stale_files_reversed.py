"""Saved twice into one directory, first as `.bin`, then as safetensors: what a script that was
upgraded past 0.25.0 leaves behind. Readers before 0.25.0 find the `.bin` and take it."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.stale_files import StaleFiles


class StaleFilesReversed(StaleFiles):
    """The newer weights are the safetensors."""

    formats = (False, True)


scenario = StaleFilesReversed
