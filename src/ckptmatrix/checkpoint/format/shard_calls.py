"""What the `.metadata` of torch.distributed.checkpoint calls, and in which forms.

It is a pickle of dataclasses (`torch/distributed/checkpoint/metadata.py`, `filesystem.py`): each
is made without arguments and given its fields; and of the path that the checkpoint was saved at.
Its shards' tensors may carry attributes (`torch/_tensor.py`, `_rebuild_from_type_v2`).
"""

from collections.abc import Callable
from typing import Any

from ckptmatrix.checkpoint.format.inert import (
    InertCall,
    InertGlobal,
    Items,
    Pairs,
    PickleStructure,
    items_of,
    members_of,
)

_METADATA = "torch.distributed.checkpoint.metadata"
_OLD = "torch.distributed._shard.sharded_tensor.metadata"
"""Where torch 2.0 to 2.2 has the properties of tensors."""
_LAYOUT = "torch.serialization._get_layout"
_PROPERTIES = (f"{_METADATA}.TensorProperties", f"{_OLD}.TensorProperties")
_WITH_STRIDES = 6
"""How many properties a tensor has with its strides, which come last."""
_MEMORY = (f"{_METADATA}._MEM_FORMAT_ENCODING", f"{_OLD}.MEM_FORMAT_ENCODING")
_PATHS = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")
_PLAIN = (bool, int, float, str, bytes, type(None))


def _is_made_of_fields(call: InertCall, arguments: list[Any]) -> bool:
    return _is_new(call, arguments) and (call.state is None or are_fields(call.state))


def _is_new(call: InertCall, arguments: list[Any]) -> bool:
    return not arguments and call.opcode == "NEWOBJ"


def are_fields(state: Any) -> bool:
    """Whether a state names fields alone, and none that Python itself reads."""
    if not isinstance(state, Pairs):
        return False
    return all(isinstance(name, str) and name[:2] != "__" for name, _ in state.values)


def _is_properties(call: InertCall, arguments: list[Any]) -> bool:
    """dtype, layout, whether it needs a gradient, memory format, whether it is pinned; from torch
    2.15 on the strides."""
    state = items_of(call.state, "tuple")
    sizes = (_WITH_STRIDES - 1, _WITH_STRIDES)
    if not _is_new(call, arguments) or state is None or len(state) not in sizes:
        return False
    dtype, layout, gradient, memory, pinned, *strides = state
    return (
        isinstance(dtype, InertGlobal)
        and dtype.module == "torch"
        and _is_call_of(layout, _LAYOUT)
        and _is_call_of(memory, *_MEMORY)
        and {type(gradient), type(pinned)} == {bool}
        and all(one is None or _are_numbers(one) for one in strides)
    )


def has_strides(structure: PickleStructure) -> bool:
    """Whether a `.metadata` has the strides of its tensors, which older torch does not expect."""
    return any(
        _is_call_of(call, *_PROPERTIES) and len(members_of(call.state)) == _WITH_STRIDES
        for call in structure.calls
    )


def _are_numbers(value: Any) -> bool:
    numbers = items_of(value, "tuple")
    return numbers is not None and all(type(one) is int for one in numbers)


def _is_call_of(value: Any, *paths: str) -> bool:
    if not isinstance(value, InertCall) or not isinstance(value.function, InertGlobal):
        return False
    return value.function.path in paths


def _is_layout(call: InertCall, arguments: list[Any]) -> bool:
    return len(arguments) == 1 and isinstance(arguments[0], str) and call.state is None


def _is_memory_format(call: InertCall, arguments: list[Any]) -> bool:
    return len(arguments) == 1 and type(arguments[0]) is int and call.state is None


def _is_path(call: InertCall, arguments: list[Any]) -> bool:
    short = len(arguments) <= 1000 and all(isinstance(part, str) for part in arguments)
    return short and call.state is None


def _is_plain(value: Any) -> bool:
    inner = value.values if isinstance(value, Items) else [value]
    return all(isinstance(one, _PLAIN) for one in inner)


def are_attributes(state: Any) -> bool:
    """Whether a state gives a tensor attributes that hold plain values."""
    return are_fields(state) and all(_is_plain(value) for _, value in state.values)


SHARD_CALLS: dict[str, Callable[[InertCall, list[Any]], bool]] = {
    **{
        f"{_METADATA}.{name}": _is_made_of_fields
        for name in (
            *("Metadata", "TensorStorageMetadata", "BytesStorageMetadata"),
            *("ChunkStorageMetadata", "MetadataIndex", "StorageMeta"),
        )
    },
    "torch.distributed.checkpoint.filesystem._StorageInfo": _is_made_of_fields,
    **dict.fromkeys(_PROPERTIES, _is_properties),
    _LAYOUT: _is_layout,
    **dict.fromkeys(_MEMORY, _is_memory_format),
    # Python 3.13 calls the module by its inner name.
    **{f"{module}.{name}": _is_path for module in ("pathlib", "pathlib._local") for name in _PATHS},
}
"""Path of a name -> what tells whether a call of it is one of a `.metadata`."""
