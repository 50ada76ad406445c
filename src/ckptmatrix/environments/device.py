"""On which devices to measure: the CPU, the GPUs of this machine if there are any, or both."""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from ckptmatrix.environments import asking_driver
from ckptmatrix.environments.asking_driver import DriverAnswer
from ckptmatrix.environments.starting import start
from ckptmatrix.errors import UsageError
from ckptmatrix.model import Device, Gpus

Asked = Literal["auto", "cpu", "cuda", "both"]
"""What can be asked for: `auto` is `both` where there is a GPU, else `cpu`."""

CHOICES: tuple[str, ...] = get_args(Asked)

_SECONDS = 60.0
"""Time for the driver to answer; waking eight GPUs can take it half a minute."""

_NO_DEVICE = 100
"""What a driver answers that sees none: there is none, or a variable hides it."""

_HIDING = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""Variables that choose which GPUs a process sees."""


@dataclass(frozen=True)
class Machine:
    """Where to measure."""

    devices: tuple[Device, ...]
    """The devices, the CPU first."""
    gpus: Gpus | None = None
    """The GPUs; None if none is asked for."""

    @property
    def asked(self) -> str:
        """What it has to be asked for as, so that another process finds the same."""
        return "both" if len(self.devices) > 1 else str(self.devices[0])


def find_machine(asked: str) -> Machine:
    """Decide where to measure.

    Args:
        asked: one of `CHOICES`.

    Raises:
        UsageError: a GPU was asked for and there is none.
    """
    if asked == "cpu":
        return Machine((Device.CPU,))
    gpus = find_gpus()
    if isinstance(gpus, Gpus):
        return Machine((Device.CUDA,) if asked == "cuda" else (Device.CPU, Device.CUDA), gpus)
    if asked != "auto":
        raise UsageError(
            f"--device {asked}: {gpus}", "run where there is a GPU, or take --device cpu"
        )
    return Machine((Device.CPU,))


def find_gpus(seconds: float = _SECONDS) -> Gpus | str:
    """The GPUs that can be used here; else why there is none, one clause.

    The driver is asked by its library, in a process of its own: the host has no torch to ask, and
    a container need not have the driver's tools. What hides GPUs from a process hides them here.

    Args:
        seconds: the time limit; a driver that hangs is left behind.
    """
    command = [sys.executable, "-I", "-S", asking_driver.__file__]
    asking = start(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        said, _ = asking.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        asking.kill()  # not waited for: one that hangs in the kernel does not end by that
        return f"the driver does not answer within {seconds:g} seconds"
    if asking.returncode:
        return f"asking the driver ended with status {asking.returncode}"
    answer = msgspec.json.decode(said, type=DriverAnswer)
    if not answer.gpus:
        return _why_none(answer)
    free = answer.free if all(answer.free) else ()
    return Gpus(answer.name or "GPU", answer.gpus, answer.capability, answer.driver, free)


def _why_none(answer: DriverAnswer) -> str:
    if not answer.library:
        return "no driver library is on this machine (libcuda.so.1, or libamdhip64.so)"
    if answer.error in (0, _NO_DEVICE):
        hiding = [f"{name} is {os.environ[name]!r}" for name in _HIDING if name in os.environ]
        told = f" ({', '.join(hiding)})" if hiding else ""
        return f"the driver shows no GPU{told}"
    told = f" ({answer.text})" if answer.text else ""
    return f"the driver answers {answer.call} with error {answer.error}{told}"
