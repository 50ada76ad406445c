"""Whether the calls of harmless names are such as checkpoints make.

A name that only holds values still crashes torch, or takes all memory, when it is called with
forged arguments: a numpy dtype of objects, a storage of 2^42 elements, a text made of a list that
refers to itself a thousand million times. Each call that a pickle asks for is held against the
forms in which torch, numpy and the standard library pickle their values; `resume.py` does the same
while it loads.
"""

import re
from collections.abc import Callable
from typing import Any

from ckptmatrix.checkpoint.format.dtypes import BY_TORCH, UNTYPED
from ckptmatrix.checkpoint.format.inert import (
    InertCall,
    InertGlobal,
    Items,
    Pairs,
    PickleStructure,
    Stored,
    is_key,
    items_of,
)
from ckptmatrix.checkpoint.format.numpy_core import NUMPY_CORES
from ckptmatrix.checkpoint.format.safetensors import DIMENSION_LIMIT
from ckptmatrix.checkpoint.format.shard_calls import SHARD_CALLS, are_attributes

DTYPE_CODE = re.compile(r"[<>=|]?[?biufcSU]\d{0,6}", re.ASCII)
"""numpy's dtypes of numbers and texts; never of objects or fields, which can be forged."""
_PLAIN = (bool, int, float, str, bytes, type(None))


def forged_calls(structure: PickleStructure) -> dict[str, str]:
    """The calls in a pickle that no checkpoint makes.

    Returns:
        Path of what is called -> what is wrong with it; only for names that are harmless as such.
    """
    found: dict[str, str] = {}
    for call in structure.calls:
        if not isinstance(call.function, InertGlobal):
            found["?.?"] = "calls what is no name"
            continue
        path = call.function.path
        check = CHECKS.get(_builtin(path))
        if check is None:
            continue
        arguments = items_of(call.arguments, "tuple")
        filled = (call.items or call.pairs) and _builtin(path) not in _CONTAINERS
        if filled or arguments is None or not check(call, arguments):
            found[path] = f"calls {path} with arguments that no checkpoint has"
    for target in structure.changed:
        path = target.path if isinstance(target, InertGlobal) else "?.?"
        found[path] = "gives a state to what is no new object"
    if any(storage_of(stored) is None for stored in structure.stored):
        found["?.?"] = "refers to a storage in a way that torch.save does not"
    return found


def _builtin(path: str) -> str:
    return path.replace("__builtin__.", "builtins.", 1) if path.startswith("__b") else path


def path_of(value: Any) -> str:
    """The path of a name; empty for anything else."""
    return value.path if isinstance(value, InertGlobal) else ""


def is_called(value: Any, *paths: str) -> bool:
    """Whether a value is made by calling one of these names."""
    return isinstance(value, InertCall) and path_of(value.function) in paths


def _counts(value: Any) -> list[int] | None:
    """Extents or strides of a tensor; None if they are none."""
    found = items_of(value, "tuple")
    if found is None or len(found) > DIMENSION_LIMIT:
        return None
    return found if all(type(n) is int and 0 <= n < 1 << 63 for n in found) else None


def _is_index(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def storage_of(value: Any) -> tuple[str, str, int] | None:
    """Class, key and number of elements of a persistent id; None if torch writes none like that."""
    members = items_of(value.key, "tuple") if isinstance(value, Stored) else None
    if members is None or members[0:1] != ["storage"] or members[5:] not in ([], [None]):
        return None
    if len(members) < 5:
        return None
    kind, key, location, count = members[1:5]
    if not isinstance(kind, InertGlobal) or kind.module not in ("torch", "torch.storage"):
        return None
    if kind.name not in BY_TORCH and kind.name != UNTYPED and not kind.name.endswith("Storage"):
        return None
    if not (isinstance(key, str) and isinstance(location, str) and _is_index(count)):
        return None
    return kind.name, key, count


def _is_tensor(call: InertCall, arguments: list[Any]) -> bool:
    if not 4 <= len(arguments) <= 8 or call.state is not None:
        return False
    storage, shape, strides = storage_of(arguments[0]), _counts(arguments[2]), _counts(arguments[3])
    if storage is None or shape is None or strides is None or not _is_index(arguments[1]):
        return False
    if len(shape) != len(strides):
        return False
    if not all(shape):
        return True
    last: int = arguments[1] + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    kind, _, count = storage
    widths = 1
    if kind == UNTYPED and len(arguments) > 6 and isinstance(arguments[6], InertGlobal):
        widths = BY_TORCH[arguments[6].name].width if arguments[6].name in BY_TORCH else 1
    return (last + 1) * widths <= count


def _is_parameter(call: InertCall, arguments: list[Any]) -> bool:
    return len(arguments) in (2, 3) and is_called(arguments[0], *_REBUILDS)


def _is_of_type(call: InertCall, arguments: list[Any]) -> bool:
    """A tensor that is given attributes, as FSDP's are."""
    if len(arguments) != 4 or call.state is not None or path_of(arguments[0]) not in _REBUILDS:
        return False
    inner = items_of(arguments[2], "tuple")
    if path_of(arguments[1]) not in _TENSOR_TYPES or inner is None:
        return False
    tensor = InertCall(arguments[0], arguments[2])
    return _is_tensor(tensor, inner) and are_attributes(arguments[3])


def is_bytes(value: Any) -> bool:
    """Whether a value is bytes, in any spelling of a pickle."""
    if isinstance(value, bytes):
        return True
    return is_called(value, "_codecs.encode", "__builtin__.bytes", "builtins.bytes")


def _is_dtype(call: InertCall, arguments: list[Any]) -> bool:
    code = arguments[0] if arguments else None
    if len(arguments) != 3 or not isinstance(code, str) or not DTYPE_CODE.fullmatch(code):
        return False
    if not all(type(flag) in (bool, int) and flag in (0, 1) for flag in arguments[1:]):
        return False
    state = items_of(call.state, "tuple") if call.state is not None else None
    if state is None:
        return call.state is None
    return (
        len(state) in (8, 9)
        and state[0] in (3, 4)
        and state[1] in ("<", ">", "=", "|")
        and state[2:5] == [None] * 3
        and all(type(n) is int and -1 <= n < 1 << 20 for n in state[5:7])
        and state[7] in (0, 8)
    )


def _is_array(call: InertCall, arguments: list[Any]) -> bool:
    if len(arguments) != 3 or path_of(arguments[0]) != "numpy.ndarray":
        return False
    if not (_counts(arguments[1]) == [0] and (is_bytes(arguments[2]) or arguments[2] == "b")):
        return False
    state = items_of(call.state, "tuple")
    return (
        state is not None
        and len(state) == 5
        and _counts(state[1]) is not None
        and is_called(state[2], "numpy.dtype")
        and is_bytes(state[4])
    )


def _is_scalar(call: InertCall, arguments: list[Any]) -> bool:
    whole = len(arguments) == 2 and call.state is None
    return whole and is_called(arguments[0], "numpy.dtype") and is_bytes(arguments[1])


def _is_encoded(call: InertCall, arguments: list[Any]) -> bool:
    text, *rest = arguments or [None]
    return rest in (["latin1"], ["latin-1"]) and isinstance(text, str) and _is_latin(text)


def _is_latin(text: str) -> bool:
    return max(text, default="") < "\u0100"


def _is_sequence(call: InertCall, arguments: list[Any]) -> bool:
    """A set or another container, made of a list or tuple of its own."""
    return not arguments or (len(arguments) == 1 and isinstance(arguments[0], Items))


def _is_of_keys(call: InertCall, arguments: list[Any]) -> bool:
    """A set, whose members are hashed while it is made."""
    return _is_sequence(call, arguments) and all(
        is_key(member) for one in arguments for member in one.values
    )


def _is_of_pairs(call: InertCall, arguments: list[Any]) -> bool:
    """A dict made of a list of pairs, as Python 2 wrote it."""
    if not _is_sequence(call, arguments):
        return False
    pairs = [pair for one in arguments for pair in one.values]
    return all(isinstance(p, Items) and len(p.values) == 2 and is_key(p.values[0]) for p in pairs)


def _is_complex(call: InertCall, arguments: list[Any]) -> bool:
    return len(arguments) == 2 and all(type(part) in (float, int) for part in arguments)


def _is_bytearray(call: InertCall, arguments: list[Any]) -> bool:
    if not arguments or (len(arguments) == 1 and is_bytes(arguments[0])):
        return True
    return _is_encoded(call, arguments)


def _is_size(call: InertCall, arguments: list[Any]) -> bool:
    sizes = arguments[0] if len(arguments) == 1 else None
    return isinstance(sizes, Items) and all(map(_is_index, sizes.values))


def _is_device(call: InertCall, arguments: list[Any]) -> bool:
    kind, *index = arguments or [None]
    return isinstance(kind, str) and len(index) <= 1 and all(map(_is_index, index))


def _is_defaultdict(call: InertCall, arguments: list[Any]) -> bool:
    return len(arguments) <= 1 and all(
        one is None or _builtin(path_of(one)) in _FACTORIES for one in arguments
    )


def _is_counter(call: InertCall, arguments: list[Any]) -> bool:
    return len(arguments) <= 1 and all(isinstance(one, Pairs) for one in arguments)


def _is_deque(call: InertCall, arguments: list[Any]) -> bool:
    if len(arguments) > 2 or not _is_sequence(call, arguments[:1]):
        return False
    return all(one is None or _is_index(one) for one in arguments[1:])


def _is_slice(call: InertCall, arguments: list[Any]) -> bool:
    return len(arguments) == 3 and all(isinstance(one, _PLAIN) for one in arguments)


def _is_empty(call: InertCall, arguments: list[Any]) -> bool:
    return not arguments


def _never(call: InertCall, arguments: list[Any]) -> bool:
    """For what is named as a type and never called."""
    return False


_FACTORIES = frozenset(f"builtins.{n}" for n in ("int", "float", "list", "dict", "set", "str"))
_CONTAINERS = frozenset(
    (
        *(f"collections.{n}" for n in ("OrderedDict", "defaultdict", "Counter", "deque")),
        "builtins.set",
    )
)
"""What something may be put into."""
_TENSOR_TYPES = ("torch.Tensor", "torch.nn.parameter.Parameter")
_REBUILDS = tuple(f"torch._utils._rebuild_tensor{n}" for n in ("", "_v2", "_v3"))

CHECKS: dict[str, Callable[[InertCall, list[Any]], bool]] = {
    **dict.fromkeys(_REBUILDS, _is_tensor),
    "torch._utils._rebuild_parameter": _is_parameter,
    "torch._tensor._rebuild_from_type_v2": _is_of_type,
    "torch.Size": _is_size,
    "torch.device": _is_device,
    **dict.fromkeys(("torch.Tensor", "torch.nn.parameter.Parameter", "numpy.ndarray"), _never),
    **{f"torch.{name}": _never for name in BY_TORCH},
    f"torch.storage.{UNTYPED}": _never,
    **SHARD_CALLS,
    "numpy.dtype": _is_dtype,
    **{f"{core}._reconstruct": _is_array for core in NUMPY_CORES},
    **{f"{core}.scalar": _is_scalar for core in NUMPY_CORES},
    "_codecs.encode": _is_encoded,
    "collections.OrderedDict": _is_of_pairs,
    "collections.defaultdict": _is_defaultdict,
    "collections.Counter": _is_counter,
    "collections.deque": _is_deque,
    **{f"builtins.{name}": _is_of_keys for name in ("set", "frozenset")},
    "builtins.complex": _is_complex,
    "builtins.bytearray": _is_bytearray,
    "builtins.slice": _is_slice,
    "builtins.bytes": _is_empty,
    **{
        f"builtins.{name}": _never
        for name in ("int", "float", "bool", "str", "list", "tuple", "dict")
    },
}
"""Path of a harmless name -> what tells whether a call of it is one of a checkpoint."""
