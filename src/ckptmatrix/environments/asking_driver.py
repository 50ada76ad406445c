"""How many GPUs the driver shows: a script for a process of its own, since a driver may hang.

Standard library alone. Prints what it found as one line of JSON; see `DriverAnswer`.
"""

import ctypes
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_COMPUTE_CAPABILITY = (75, 76)
"""Attributes of a device: major and minor."""
_KERNEL_MODULE = Path("/proc/driver/nvidia/version")

_DRIVERS = (
    ("libcuda.so.1", "cuInit", "cuDeviceGetCount", "cuGetErrorString"),
    ("libamdhip64.so", "hipInit", "hipGetDeviceCount", ""),
)
"""Library, and its functions: to begin with, to count by, to explain an error by if it is alike."""


@dataclass(frozen=True)
class DriverAnswer:
    """What a driver's library said."""

    library: str = ""
    """Its file; empty if there is none."""
    call: str = ""
    """The last function that was called."""
    error: int = 0
    """What it answered; 0 if all is well."""
    text: str = ""
    """The driver's own words for that, if it has some."""
    gpus: int = 0
    """How many GPUs are visible to this process."""
    name: str = ""
    """What the first is called."""
    capability: str = ""
    """What the first can do, `9.0`."""
    driver: str = ""
    """Version of the driver, and of the CUDA that it does."""
    free: tuple[int, ...] = ()
    """Bytes that are free on each, where this process has a context on it."""


def ask() -> DriverAnswer:
    """Return the answer of the first driver that shows a GPU, or of the last that is there."""
    answer = DriverAnswer()
    for library, begin, count, explain in _DRIVERS:
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        answer = _asked(driver, library, begin, count, explain)
        if answer.gpus:
            break
    return answer


def _asked(driver: ctypes.CDLL, library: str, begin: str, count: str, explain: str) -> DriverAnswer:
    gpus, text = ctypes.c_int(0), ctypes.c_char_p()
    call, error = begin, int(driver[begin](0))
    if not error:
        call, error = count, int(driver[count](ctypes.byref(gpus)))
    if error and explain:
        driver[explain](error, ctypes.byref(text))
    words = (text.value or b"").decode(errors="replace")
    answer = DriverAnswer(library, call, error, words, 0 if error else gpus.value)
    return _described(driver, answer) if answer.gpus and begin == "cuInit" else answer


def _described(driver: ctypes.CDLL, answer: DriverAnswer) -> DriverAnswer:
    """With what NVIDIA's driver says of its GPUs; what it does not know stays empty."""
    name, major, minor = ctypes.create_string_buffer(256), ctypes.c_int(), ctypes.c_int()
    version = ctypes.c_int()
    _call(driver, "cuDeviceGetName", name, 256, 0)
    for number, attribute in zip((major, minor), _COMPUTE_CAPABILITY, strict=True):
        _call(driver, "cuDeviceGetAttribute", ctypes.byref(number), attribute, 0)
    _call(driver, "cuDriverGetVersion", ctypes.byref(version))
    cuda = f"CUDA {version.value // 1000}.{version.value % 1000 // 10}"
    return replace(
        answer,
        name=name.value.decode(errors="replace"),
        capability=f"{major.value}.{minor.value}" if major.value else "",
        driver=" ".join(filter(None, (_kernel_module(), cuda))),
        free=tuple(_free(driver, number) for number in range(answer.gpus)),
    )


def _free(driver: ctypes.CDLL, number: int) -> int:
    """Bytes that are free on a GPU; 0 if nobody says."""
    context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    made = _call(driver, "cuDevicePrimaryCtxRetain", ctypes.byref(context), number)
    if not made or not _call(driver, "cuCtxSetCurrent", context):
        return 0
    asked = _call(driver, "cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    return free.value if asked else 0


def _call(driver: ctypes.CDLL, function: str, *arguments: object) -> bool:
    """Whether the driver has a function, and it succeeded."""
    found = getattr(driver, function, None)
    return found is not None and found(*arguments) == 0


def _kernel_module() -> str:
    """The driver's own version, `550.54.15`; empty where the kernel does not show it."""
    try:
        found = re.search(r"\d+\.\d+(?:\.\d+)?", _KERNEL_MODULE.read_text(encoding="utf-8"))
    except OSError:
        return ""
    return found[0] if found else ""


if __name__ == "__main__":
    print(json.dumps(asdict(ask())))
