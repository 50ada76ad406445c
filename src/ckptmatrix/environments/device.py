"""The device that writers train on and readers resume on."""

import shutil
import subprocess

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Device


def find_device(asked: str) -> Device:
    """Decide where to measure.

    Args:
        asked: `auto`, `cpu` or `cuda`; `auto` takes a GPU where there is one.

    Raises:
        UsageError: a GPU was asked for and there is none.
    """
    if asked == "cpu":
        return Device.CPU
    if _has_gpu():
        return Device.CUDA
    if asked == "cuda":
        raise UsageError(
            "--device cuda: nvidia-smi lists no GPU on this machine",
            "run where there is one, or take --device cpu",
        )
    return Device.CPU


def _has_gpu() -> bool:
    """Asks the driver's own tool, since the host has no torch to ask."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU" in listed.stdout
