"""What lies in pickles and weights, in the neutral form that workers compare with.

`worker/neutral.py` makes that form from live objects; here it is made from the bytes, without
torch and numpy, so that the truth shares no code with the loaders that it judges.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format import rewriting_tensors
from ckptmatrix.checkpoint.format.dtypes import BY_CODE
from ckptmatrix.checkpoint.format.numpy_core import NUMPY_CORES
from ckptmatrix.checkpoint.format.rewriting_archives import Archive
from ckptmatrix.checkpoint.format.rewriting_pickles import Call, Global
from ckptmatrix.checkpoint.format.rewriting_tensors import REBUILD, REBUILD_3, Tensor
from ckptmatrix.checkpoint.repair.state_files import raw_bytes
from ckptmatrix.errors import CkptmatrixError

_PACKED = 32
"""As in the worker: so many ints in a row are kept as one array."""


class NotNeutralError(CkptmatrixError):
    """A file holds what only its own code can make, so nobody else can say what it must be."""

    def __init__(self, file: str, kind: str) -> None:
        super().__init__(
            f"{file} holds {kind}, which only the code that wrote it can make.",
            "--trust loads custom objects and schedulers all the same, and compares the rest.",
        )


class Encoder:
    """Makes trees of values and keeps the arrays that they name, not read yet.

    Attributes:
        arrays: key named in a tree -> where its bytes are.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, Tensor] = {}

    def graph(self, archive: Archive) -> Any:
        """The tree of a whole pickled file.

        Raises:
            NotNeutralError: it holds an object that has no neutral form.
            DamagedError: it holds a tensor that cannot be read.
        """
        return self._encode(archive.root, archive)

    def value(self, value: Any, archive: Archive | None = None) -> Any:
        """The tree of a part of a file, or of plain values."""
        return self._encode(value, archive)

    def tensor(self, tensor: Tensor) -> Any:
        """The node of a tensor."""
        dtype = BY_CODE.get(tensor.dtype)
        if dtype is None or not dtype.in_safetensors:
            raise NotNeutralError("a file of weights", f"a tensor of {tensor.dtype}")
        key = self._keep(tensor.nbytes, tensor.chunks)
        shape = list(tensor.shape)
        return {"~": "tensor", "dtype": dtype.torch, "shape": shape, "key": key}

    def ints(self, values: Sequence[int], dtype: str) -> Any:
        """The node of a one-dimensional numpy array."""
        width = int(dtype[2:])
        data = b"".join(value.to_bytes(width, "little") for value in values)
        return {"~": "array", "dtype": dtype, "shape": [len(values)], "key": self._bytes(data)}

    def count(self, sequence: Any) -> int:
        """Length of a list in a tree; of a packed one too."""
        if isinstance(sequence, list):
            return len(sequence)
        return self.arrays[sequence["key"]].nbytes // 8

    def save(self, stem: Path, trees: dict[str, Any]) -> None:
        """Write `stem.json` and `stem.safetensors`, as the worker reads them."""
        stem.with_suffix(".json").write_text(json.dumps(trees), encoding="utf-8")
        if not self.arrays:
            self._bytes(b"")
        rewriting_tensors.write_safetensors(stem.with_suffix(".safetensors"), self.arrays)

    def _keep(self, size: int, chunks: Callable[[], Iterator[bytes]]) -> str:
        key = f"a{len(self.arrays)}"
        self.arrays[key] = Tensor("U8", (size,), size, chunks, (key,), (key,))
        return key

    def _bytes(self, data: bytes) -> str:
        return self._keep(len(data), lambda: iter((data,)))

    def _encode(self, value: Any, archive: Archive | None) -> Any:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return {"~": "float", "hex": value.hex()}
        if isinstance(value, bytes):
            return {"~": "bytes", "hex": value.hex()}
        if isinstance(value, dict):
            return self._dict(list(value.items()), archive)
        if isinstance(value, list | tuple):
            return self._sequence(value, archive)
        if isinstance(value, Global):
            return {"~": "named", "name": str(value)}
        if isinstance(value, Call) and archive is not None:
            return self._call(value, archive)
        name = archive.path.name if archive else "a document"
        raise NotNeutralError(name, f"a {type(value).__name__}")

    def _dict(self, items: list[tuple[Any, Any]], archive: Archive | None) -> Any:
        pairs = [[self._encode(k, archive), self._encode(v, archive)] for k, v in items]
        return {"~": "dict", "items": pairs}

    def _sequence(self, value: list[Any] | tuple[Any, ...], archive: Archive | None) -> Any:
        kind = "tuple" if isinstance(value, tuple) else "list"
        if len(value) >= _PACKED and all(type(n) is int and abs(n) < 1 << 63 for n in value):
            data = b"".join(n.to_bytes(8, "little", signed=True) for n in value)
            return {"~": "ints", "as": kind, "key": self._bytes(data)}
        items = [self._encode(item, archive) for item in value]
        return items if kind == "list" else {"~": "tuple", "items": items}

    def _call(self, call: Call, archive: Archive) -> Any:
        match call:
            case Call(Global("torch._utils", "_rebuild_parameter"), (Call() as inner, *_)):
                return self._call(inner, archive)
            case Call(function) if function in (REBUILD, REBUILD_3):
                return self.tensor(rewriting_tensors.in_archive(archive, call))
            case Call(Global("collections", "OrderedDict"), ()):
                return self._dict(call.items, archive)
            case Call(Global("collections", "defaultdict"), (*_,)):
                return self._dict(call.items, archive)
            case Call(Global("collections", "Counter"), (dict() as counted,)):
                return self._dict(list(counted.items()), archive)
            case Call(Global("torch", "Size"), ((list() | tuple()) as sizes,)):
                return self._sequence(tuple(sizes), archive)
            case Call(Global("torch", "device"), (str(kind), *index)):
                return {"~": "named", "name": ":".join([kind, *map(str, index)])}
            case Call(Global(module, "scalar"), (Call() as dtype, data)) if module in NUMPY_CORES:
                raw = raw_bytes(data)
                if raw is not None:
                    return {"~": "scalar", "dtype": _dtype(dtype), "key": self._bytes(raw)}
            case Call(Global(module, "_reconstruct"), state=(_, tuple(shape), dtype, order, data)):
                raw = raw_bytes(data)
                if module in NUMPY_CORES and raw is not None and isinstance(dtype, Call):
                    return self._array(raw, shape, _dtype(dtype), bool(order))
        if (raw := raw_bytes(call)) is not None:
            return {"~": "bytes", "hex": raw.hex()}
        raise NotNeutralError(archive.path.name, str(call.function))

    def _array(self, raw: bytes, shape: tuple[int, ...], dtype: str, fortran: bool) -> Any:
        if fortran and len(shape) > 1:
            width = len(raw) // max(1, math.prod(shape))
            stride = tuple(math.prod(shape[:axis]) for axis in range(len(shape)))
            raw = b"".join(rewriting_tensors.gather(raw, 0, shape, stride, width))
        return {"~": "array", "dtype": dtype, "shape": list(shape), "key": self._bytes(raw)}


def _dtype(call: Call) -> str:
    """numpy's `dtype.str` of a pickled dtype, such as `<f8` or `|b1`."""
    code = str(call.args[0]).lstrip("<>|=")
    order = call.state[1] if isinstance(call.state, tuple) and len(call.state) > 1 else "|"
    return ("<" if order == "=" else order) + code


def is_empty(tree: Any) -> bool:
    """Whether a tree has nothing in it that could be compared."""
    if isinstance(tree, dict) and tree["~"] == "dict":
        return all(is_empty(value) for _, value in tree["items"])
    return False


def named(items: dict[str, Any]) -> Any:
    """The tree of a dictionary whose values are trees already."""
    return {"~": "dict", "items": [list(item) for item in items.items()]}
