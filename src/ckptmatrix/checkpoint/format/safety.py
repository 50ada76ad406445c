"""Which of the names in a pickle are dangerous.

`HARMLESS` are those that checkpoints are made of and that do no more than hold values. Every other
name of the standard library, torch or numpy is dangerous: they hold hundreds that run code or
reach some that do, and no list of these is ever complete. Of other packages nothing is known;
picklescan, which keeps a list, is asked about them.
"""

import _compat_pickle
import io
import logging
import re
import sys
from enum import StrEnum

from picklescan.scanner import SafetyLevel, scan_pickle_bytes

from ckptmatrix.checkpoint.format.arguments import forged_calls
from ckptmatrix.checkpoint.format.dtypes import DTYPES, UNTYPED
from ckptmatrix.checkpoint.format.inert import PickleStructure
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore
from ckptmatrix.checkpoint.format.shard_calls import SHARD_CALLS


class Rating(StrEnum):
    """What a name in a pickle may do."""

    HARMLESS = "harmless"
    UNKNOWN = "unknown"
    """On no list; often a class of the training script."""
    DANGEROUS = "dangerous"
    """It runs code, or may."""


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

SHARDED = frozenset({*SHARD_CALLS, "torch._tensor._rebuild_from_type_v2"})
"""The same for what sharded training alone writes."""

_OWNERS = frozenset(
    {
        *sys.stdlib_module_names,
        *(name.partition(".")[0] for name in _compat_pickle.IMPORT_MAPPING),
        *(module.partition(".")[0] for module, _ in _compat_pickle.NAME_MAPPING),
        *("torch", "numpy", "distutils", "imp", "asyncore", "asynchat", "smtpd"),
    }
)
"""Packages of which all names but the harmless ones are dangerous: the standard library, with
what it has lost since and what Python 2 called it, torch and numpy."""
_DTYPE_CLASS = re.compile(r"numpy\.dtypes\.\w+DType", re.ASCII)
_HONEST = re.compile(r"[\w.\-<>]+", re.ASCII)

# It writes each finding to the log as well; the answer is enough.
logging.getLogger("picklescan").setLevel(logging.CRITICAL)


def _is_harmless(path: str) -> bool:
    return path in HARMLESS or path in SHARDED or bool(_DTYPE_CLASS.fullmatch(path))


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
        if "." not in name and _is_harmless(path):
            rated[path] = Rating.HARMLESS
        elif (
            # A dotted name goes through whatever the module has imported.
            "." in name
            or module.partition(".")[0] in _OWNERS
            or not (_HONEST.fullmatch(module) and _HONEST.fullmatch(name))
        ):
            rated[path] = Rating.DANGEROUS
        else:
            rated[path] = Rating.UNKNOWN
            asked += f"c{module}\n{name}\n0".encode()
    for found in scan_pickle_bytes(io.BytesIO(bytes(asked + b"N.")), "names").globals:
        if found.safety is SafetyLevel.Dangerous:
            rated[f"{found.module}.{found.name}"] = Rating.DANGEROUS
    return dict(sorted(rated.items()))


def rate(structure: PickleStructure) -> tuple[dict[str, Rating], str]:
    """Rate what a pickle names, and what it calls.

    Returns:
        `module.name` -> rating; and one clause on calls of harmless names that no checkpoint
        makes, which are dangerous; empty if there is none.
    """
    rated = rate_globals(structure.globals)
    forged = forged_calls(structure)
    for path in forged:
        rated[path] = Rating.DANGEROUS
    return dict(sorted(rated.items())), next(iter(forged.values()), "")
