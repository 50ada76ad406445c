"""Written where there were two GPUs, by torch 2.0 or older."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.gpu_written import GpuWritten


class GpuWritten2Times816(GpuWritten):
    """Two GPUs' states, of 816 bytes each."""

    gpus = 2
    size = 816


scenario = GpuWritten2Times816
