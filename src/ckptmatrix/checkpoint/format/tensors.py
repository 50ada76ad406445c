"""Recognising torch's tensors in the structure of a pickle."""

from typing import Any

from ckptmatrix.checkpoint.format.dtypes import BY_TORCH, UNTYPED
from ckptmatrix.checkpoint.format.inert import InertCall, InertGlobal, Stored, members_of, pairs_of
from ckptmatrix.checkpoint.format.opening import UnreadError
from ckptmatrix.checkpoint.format.safetensors import DIMENSION_LIMIT, TensorSpec

_REBUILDS = frozenset({"torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"})
_WRAPPERS = frozenset(
    {
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_parameter_with_state",
        "torch._tensor._rebuild_from_type_v2",
    }
)


def function_of(value: Any) -> str:
    """The path of what would be called to make this value; empty for what is not a call."""
    if isinstance(value, InertCall) and isinstance(value.function, InertGlobal):
        return value.function.path
    return ""


def tensor_of(value: Any, name: str = "") -> TensorSpec | None:
    """The tensor that this value would become; None for anything else."""
    path = function_of(value)
    arguments = members_of(value.arguments) if isinstance(value, InertCall) else []
    if path in _WRAPPERS:
        # (data, requires_grad, hooks), or (function, type, arguments, state).
        inner = arguments[0] if arguments else None
        if path.endswith("_rebuild_from_type_v2") and len(arguments) > 2:
            inner = InertCall(arguments[0], arguments[2])
        # One level only: a chain of wrappers is nothing that torch writes.
        return tensor_of(inner, name) if function_of(inner) in _REBUILDS else None
    if path not in _REBUILDS or len(arguments) < 4 or not isinstance(arguments[0], Stored):
        return None
    storage = members_of(arguments[0].key)
    shape = members_of(arguments[2])
    if len(storage) < 5 or len(shape) > DIMENSION_LIMIT or not isinstance(storage[2], str):
        return None
    if not all(type(extent) is int and 0 <= extent < 1 << 63 for extent in shape):
        return None
    dtype = storage[1].name if isinstance(storage[1], InertGlobal) else ""
    if path.endswith("_v3") and len(arguments) > 6 and isinstance(arguments[6], InertGlobal):
        dtype = arguments[6].name
    begins = arguments[1] == 0 and members_of(arguments[3]) == _strides(shape)
    offset = 0 if begins else -1
    return TensorSpec(name, _code(dtype), tuple(shape), storage[2], offset)


def _code(dtype: str) -> str:
    """safetensors' word for torch's dtype or storage class; what is not known stays as it is."""
    if dtype == UNTYPED:
        return "U8"
    return BY_TORCH[dtype].code if dtype in BY_TORCH else dtype


def _strides(shape: list[int]) -> list[int]:
    """Strides of a tensor that lies in one piece, in elements."""
    strides: list[int] = []
    step = 1
    for extent in reversed(shape):
        strides.insert(0, step)
        step *= max(extent, 1)
    return strides


MEMBER_LIMIT = 300_000
"""Members of dicts that are looked at in search of tensors, each as often as it is referred to."""


def tensors_of(value: Any, deep: int = 1) -> list[TensorSpec]:
    """The tensors among the members of a dict, named by their keys; nested dicts down to `deep`.

    Raises:
        UnreadError: there are more members than are looked at.
    """
    found: list[TensorSpec] = []
    pending = [("", value, deep)]
    seen = 0
    while pending:
        prefix, holder, depth = pending.pop()
        for key, member in pairs_of(holder):
            seen += 1
            if seen > MEMBER_LIMIT:
                raise UnreadError(f"describes more than {MEMBER_LIMIT} values")
            name = prefix + (key if isinstance(key, str) else _number(key))
            tensor = tensor_of(member, name)
            if tensor is not None:
                found.append(tensor)
            elif depth > 1 and pairs_of(member):
                pending.append((f"{name}.", member, depth - 1))
    return found


def _number(key: Any) -> str:
    return str(key) if type(key) is int and abs(key) < 1 << 63 else "?"
