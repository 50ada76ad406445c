"""What this environment's accelerate can do: the one place where a release is asked.

Nothing here is concluded from a load or a save that failed: a signature, an attribute, the version.
"""

from __future__ import annotations

import inspect
import platform
import re
from functools import cache

import accelerate
import numpy
import safetensors
import torch
from accelerate import Accelerator

from ckptmatrix.worker.protocol import Gpu, Introduction

_UNUSABLE = {
    # PartialState is built twice, the second time with cpu=False, and compares the two (state.py
    # line 82); taken out again by 0.17.1.
    ("0.17.0", "cpu"): "accelerate 0.17.0 refuses Accelerator(cpu=True) (fixed in 0.17.1)",
}


def introduction(gpu: Gpu | None, warm: tuple[str, ...]) -> Introduction:
    """Versions of what takes part in a save or a load, and what is told of the rest."""
    return Introduction(
        accelerate=accelerate.__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        numpy=numpy.__version__,
        safetensors=safetensors.__version__,
        gpu=gpu,
        warm=warm,
    )


def release() -> tuple[int, ...]:
    """The accelerate release as numbers, `(0, 33, 0)`."""
    return _numbers(accelerate.__version__)


def torch_release() -> tuple[int, ...]:
    """The torch release as numbers, `(2, 4, 1)`."""
    return _numbers(torch.__version__)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


@cache
def accepts(function: str, parameter: str) -> bool:
    """Whether `Accelerator`'s method names this parameter in its signature.

    A `**kwargs` that the method hands on does not count.
    """
    method = getattr(Accelerator, function, None)
    return method is not None and parameter in inspect.signature(method).parameters


def defaults_to(function: str, parameter: str, value: object) -> bool:
    """Whether `Accelerator`'s method can do without this parameter, and then takes `value`."""
    if not accepts(function, parameter):
        return False
    default = inspect.signature(getattr(Accelerator, function)).parameters[parameter].default
    return default is value


def unusable_on(device: str) -> str:
    """Why this release cannot be used on `cpu` or `cuda` at all; empty if it can."""
    return _UNUSABLE.get((accelerate.__version__, device), "")


def gpus() -> int:
    """How many GPUs are visible.

    torch asks the driver's monitor (NVML), and where there is none it wakes CUDA: this is for
    processes that are never forked.
    """
    return int(torch.cuda.device_count())


def new_accelerator(device: str, **arguments: object) -> Accelerator:
    """An `Accelerator` on `cpu` or `cuda`.

    Raises:
        RuntimeError: it is on another device than was asked for.
    """
    accelerator = Accelerator(cpu=device == "cpu", **arguments)
    if accelerator.device.type != device:
        raise RuntimeError(f"asked for {device}, got {accelerator.device}")
    return accelerator
