"""Written where there were two GPUs."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.gpu_written import GpuWritten


class GpuWritten2(GpuWritten):
    """Two GPUs' states, of 16 bytes each."""

    gpus = 2


scenario = GpuWritten2
