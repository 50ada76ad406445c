"""The device that writers train on and readers resume on."""

import os
import subprocess
import sys

import msgspec

from ckptmatrix.environments import asking_driver
from ckptmatrix.environments.asking_driver import DriverAnswer
from ckptmatrix.errors import UsageError
from ckptmatrix.model import Device

_SECONDS = 60.0
"""Time for the driver to answer; waking eight GPUs can take it half a minute."""

_NO_DEVICE = 100
"""What a driver answers that sees none: there is none, or a variable hides it."""

_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Variables that choose which GPUs a process sees."""


def find_device(asked: str) -> Device:
    """Decide where to measure.

    Args:
        asked: `auto`, `cpu` or `cuda`; `auto` takes a GPU where there is one.

    Raises:
        UsageError: a GPU was asked for and there is none.
    """
    if asked == "cpu":
        return Device.CPU
    reason = why_no_gpu()
    if not reason:
        return Device.CUDA
    if asked == "cuda":
        raise UsageError(
            f"--device cuda: {reason}", "run where there is a GPU, or take --device cpu"
        )
    return Device.CPU


def why_no_gpu(seconds: float = _SECONDS) -> str:
    """Why no GPU can be used here, one clause; empty if one can.

    The driver is asked by its library, in a process of its own: the host has no torch to ask, and
    a container need not have the driver's tools. What hides GPUs from a process hides them here.

    Args:
        seconds: the time limit; a driver that hangs is left behind.
    """
    command = [sys.executable, "-I", "-S", asking_driver.__file__]
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        said, _ = asking.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        asking.kill()  # not waited for: one that hangs in the kernel does not end by that
        return f"the driver does not answer within {seconds:g} seconds"
    if asking.returncode:
        return f"asking the driver ended with status {asking.returncode}"
    return _why_none(msgspec.json.decode(said, type=DriverAnswer))


def _why_none(answer: DriverAnswer) -> str:
    if answer.gpus:
        return ""
    if not answer.library:
        return "no driver library is on this machine (libcuda.so.1, or libamdhip64.so)"
    if answer.error in (0, _NO_DEVICE):
        hiding = [f"{name} is {os.environ[name]!r}" for name in _HIDING if name in os.environ]
        told = f" ({', '.join(hiding)})" if hiding else ""
        return f"the driver shows no GPU{told}"
    told = f" ({answer.text})" if answer.text else ""
    return f"the driver answers {answer.call} with error {answer.error}{told}"
