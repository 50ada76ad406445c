"""Written where there was a GPU, by torch 2.0 or older."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.gpu_written import GpuWritten


class GpuWritten816(GpuWritten):
    """One GPU's state, of 816 bytes."""

    size = 816


scenario = GpuWritten816
