"""The GPU: whether torch can compute on it, and why not. For a process that is thrown away."""

from __future__ import annotations

import ctypes
import os
import signal
import time

import torch

from ckptmatrix.worker.protocol import Gpu, GpuCost
from ckptmatrix.worker.words import STAND_IN_GPU, Device, GpuProblem


def look(device: Device) -> Gpu | None:
    """Return what torch makes of the first GPU; None on the CPU, where nothing is asked of one.

    It initialises CUDA and runs a kernel, so the process that calls it may not be forked after.
    """
    if device is Device.CPU:
        return None
    if torch.version.cuda is None and torch.version.hip is None:
        text = f"torch {torch.__version__} is built without CUDA, for the CPU alone"
        return Gpu("", GpuProblem.NOT_BUILT_FOR_IT, text)
    name = ""
    try:
        name = torch.cuda.get_device_name(0)
        found = (torch.arange(4, device="cuda") * 3 + 1).tolist()
    except Exception as error:  # noqa: BLE001 - what kind it is, the facts tell
        return Gpu(name, *_why(error))
    # A stand-in has no kernels, and says so by its name, which every report shows.
    if found != [1, 4, 7, 10] and name != STAND_IN_GPU:
        return Gpu(name, GpuProblem.COMPUTES_WRONGLY, f"{name} computed {found}, not [1, 4, 7, 10]")
    return Gpu(name)


def weigh() -> GpuCost:
    """Return what a process costs that computes on the first GPU, by letting another one do it.

    For a process that has not touched a GPU yet, and is thrown away.
    """
    ready_here, ready_there = os.pipe()
    wait_there, go_here = os.pipe()
    other = os.fork()
    if not other:
        os.read(wait_there, 1)
        try:
            os.write(ready_there, str(_computing()).encode())
            os.read(wait_there, 1)  # it keeps its memory until it is killed
        finally:
            os._exit(0)
    os.close(ready_there)
    try:
        torch.zeros(1, device="cuda")
        before = torch.cuda.mem_get_info(0)[0]
        os.write(go_here, b".")
        seconds = os.read(ready_here, 64)
        taken = before - torch.cuda.mem_get_info(0)[0]
    finally:
        os.kill(other, signal.SIGKILL)
        os.waitpid(other, 0)
    return GpuCost(max(0, taken), float(seconds or b"0"))


def _computing() -> float:
    """Train a step on the first GPU; the seconds that it takes from nothing."""
    started = time.perf_counter()
    model = torch.nn.Linear(8, 8).to("cuda")
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.zeros(4, 8, device="cuda")).sum().backward()
    optimizer.step()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def _why(error: Exception) -> tuple[GpuProblem, str]:
    """What keeps torch from the GPU, told by the versions and not by the words of the exception."""
    built, driver = _version(torch.version.cuda or ""), _driver_version()
    if built and not driver:
        return GpuProblem.NO_DRIVER, "torch finds no driver"
    if built and driver < built // 1000 * 1000:  # a driver does all of its major version
        needs = f"torch {torch.__version__} is built for CUDA {torch.version.cuda}"
        return GpuProblem.DRIVER_TOO_OLD, f"the driver is for CUDA {_shown(driver)}, {needs}"
    try:
        major, minor = torch.cuda.get_device_capability(0)
    except Exception:  # noqa: BLE001 - then that is not what is wrong
        major = minor = 0
    if built and major and not _has_kernels(10 * major + minor):
        card = f"{torch.cuda.get_device_name(0)} (sm_{major}{minor})"
        has = ", ".join(torch.cuda.get_arch_list())
        text = f"torch {torch.__version__} has no kernels for {card}, only for {has}"
        return GpuProblem.NO_KERNELS, text
    return GpuProblem.OTHER, f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"


def _has_kernels(card: int) -> bool:
    """Whether a card runs what torch brings: binaries of its major version, or portable code."""
    for name in torch.cuda.get_arch_list():
        kind, _, number = name.partition("_")
        own = int("".join(filter(str.isdigit, number)) or 0)
        if own <= card and (kind == "compute" or own // 10 == card // 10):
            return True
    return False


def _driver_version() -> int:
    """As CUDA counts; 0 if there is no driver. torch does not tell it in every release."""
    version = ctypes.c_int(0)
    try:
        ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except OSError:
        return 0
    return version.value


def _version(dotted: str) -> int:
    """As CUDA counts: 12010 for 12.1; 0 for none."""
    major, _, minor = dotted.partition(".")
    return 1000 * int(major) + 10 * int(minor or 0) if major else 0


def _shown(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
