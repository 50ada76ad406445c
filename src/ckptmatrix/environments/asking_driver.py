"""How many GPUs the driver shows: a script for a process of its own, since a driver may hang.

Standard library alone. Prints what it found as one line of JSON; see `DriverAnswer`.
"""

import ctypes
import json
from dataclasses import asdict, dataclass

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
    return DriverAnswer(library, call, error, words, 0 if error else gpus.value)


if __name__ == "__main__":
    print(json.dumps(asdict(ask())))
