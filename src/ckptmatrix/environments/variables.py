"""The variables of a worker: few of the host's, so that no setting of theirs colours a cell."""

from collections.abc import Mapping
from pathlib import Path

from ckptmatrix.model import Device

_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "SYSTEMROOT")
_OF_GPUS = (
    # Which GPUs are visible, and what a container's runtime was told.
    *("CUDA_", "NVIDIA_", "GPU_DEVICE_ORDINAL"),
    # How they talk to each other: without these some machines hang or find no network.
    *("NCCL_", "RCCL_"),
    # The same for AMD's: runtime, driver, which GPUs are visible, and cards that pass for others.
    *("HIP_", "HSA_", "ROCR_", "ROCM_"),
)
"""Beginnings of names that a machine with GPUs may need, and none without."""


def variables(host: Mapping[str, str], bundle: Path, device: Device) -> dict[str, str]:
    """All variables of a worker.

    Args:
        host: the host's own.
        bundle: the folder with the worker's code.
        device: on the CPU no GPU is visible to it.
    """
    found = {name: host[name] for name in (*_KEPT, *of_gpus(host, device)) if name in host}
    if device == Device.CUDA:
        found["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    else:
        found["CUDA_VISIBLE_DEVICES"] = ""
    return {
        **found,
        "PYTHONPATH": str(bundle),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        # Else torch 2.4 starts processes that compile, and a thread that waits for them, as soon as
        # a library imports its compiler; and a worker with threads may not be forked.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def of_gpus(host: Mapping[str, str], device: Device) -> tuple[str, ...]:
    """Names of the host's variables that a worker is given for the sake of GPUs, sorted."""
    if device != Device.CUDA:
        return ()
    return tuple(sorted(name for name in host if name.startswith(_OF_GPUS)))
