"""Which of the names in a pickle are dangerous.

`HARMLESS` are those that checkpoints are made of and that do no more than hold values. Of all
others picklescan is asked, which keeps the lists (what is harmless, what runs code) and is kept up
by those who follow the attacks. It is asked about exactly the names that following the opcodes
found, put to it as a pickle of bare names: its own search for them holds every opcode in memory and
guesses at names that are computed on the stack.
"""

import io
import logging
import re
from enum import StrEnum

from picklescan.scanner import SafetyLevel, scan_pickle_bytes

from ckptmatrix.checkpoint.format.dtypes import DTYPES, UNTYPED
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore


class Rating(StrEnum):
    """What a name in a pickle may do."""

    HARMLESS = "harmless"
    UNKNOWN = "unknown"
    """On no list; often a class of the training script."""
    DANGEROUS = "dangerous"
    """It runs code."""


LEVELS = {
    SafetyLevel.Innocuous: Rating.HARMLESS,
    SafetyLevel.Suspicious: Rating.UNKNOWN,
    SafetyLevel.Dangerous: Rating.DANGEROUS,
}

_BUILTINS = (
    *("set", "frozenset", "complex", "bytearray", "slice", "int", "float", "bool", "str"),
    *("bytes", "list", "tuple", "dict"),
)
_REBUILDS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter")

HARMLESS = frozenset(
    {
        "_codecs.encode",  # how torch's protocol 2 writes bytes; it turns text into bytes
        *(f"collections.{n}" for n in ("OrderedDict", "defaultdict", "Counter", "deque")),
        *(f"{m}.{n}" for m in ("builtins", "__builtin__") for n in _BUILTINS),
        *(f"torch.{n}" for n in ("Size", "device", "Tensor")),
        *(f"torch.{n}" for dtype in DTYPES for n in (dtype.torch, dtype.storage) if n),
        *(f"torch._utils.{n}" for n in _REBUILDS),
        f"torch.storage.{UNTYPED}",
        "torch.nn.parameter.Parameter",
        *(f"numpy.{n}" for n in ("ndarray", "dtype")),
        *(f"{core.multiarray}.{n}" for core in NumpyCore for n in ("_reconstruct", "scalar")),
    }
)
"""`module.name` of what only holds values, in every release that has it."""

_DTYPE_CLASS = re.compile(r"numpy\.dtypes\.\w+DType", re.ASCII)
_HONEST = re.compile(r"[\w.\-<>]+", re.ASCII)

# It writes each finding to the log as well; the answer is enough.
logging.getLogger("picklescan").setLevel(logging.CRITICAL)


def rate_globals(names: tuple[tuple[str, str], ...]) -> dict[str, Rating]:
    """Rate each global.

    Args:
        names: (module, name) pairs as read from the opcodes.

    Returns:
        `module.name` -> rating, sorted by name.
    """
    asked = bytearray()
    rated: dict[str, Rating] = {}
    for module, name in names:
        path = f"{module}.{name}"
        if path in HARMLESS or _DTYPE_CLASS.fullmatch(path):
            rated[path] = Rating.HARMLESS
        elif _HONEST.fullmatch(module) and _HONEST.fullmatch(name):
            asked += f"c{module}\n{name}\n0".encode()
        else:
            rated[path] = Rating.DANGEROUS  # no honest module is called like that
    for found in scan_pickle_bytes(io.BytesIO(bytes(asked + b"N.")), "names").globals:
        rated[f"{found.module}.{found.name}"] = LEVELS[found.safety]
    return dict(sorted(rated.items()))
