"""A model's weights as named pieces of memory, whatever file they lie in; both formats written.

safetensors: 8 bytes of header length, a JSON header, then the data of all tensors without gaps
(https://github.com/huggingface/safetensors#format).
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ckptmatrix.checkpoint.format import rewriting_archives
from ckptmatrix.checkpoint.format.dtypes import BY_CODE, BY_TORCH, UNTYPED, width_of_storage
from ckptmatrix.checkpoint.format.opening import UnreadableError
from ckptmatrix.checkpoint.format.rewriting_archives import (
    CHUNK,
    Archive,
    DamagedError,
    DangerousError,
)
from ckptmatrix.checkpoint.format.rewriting_pickles import Call, Global, Storage
from ckptmatrix.checkpoint.format.safetensors import TensorSpec, read_header

REBUILD = Global("torch._utils", "_rebuild_tensor_v2")
REBUILD_3 = Global("torch._utils", "_rebuild_tensor_v3")
_PARAMETER = Global("torch._utils", "_rebuild_parameter")
_ORDERED = Global("collections", "OrderedDict")


TENSOR_LIMIT = 50_000
"""Most tensors of one file that are handled; large models have a few thousand."""


@dataclass(frozen=True)
class Tensor:
    """One tensor, not read yet."""

    dtype: str
    """safetensors' name, such as `F32`."""
    shape: tuple[int, ...]
    """Its dimensions."""
    nbytes: int
    """Bytes of all its elements."""
    chunks: Callable[[], Iterator[bytes]]
    """Gives its bytes in C order, piece by piece."""
    place: tuple[Any, ...]
    """Equal for tensors that are the same memory."""
    memory: tuple[Any, ...]
    """Equal for tensors that lie in the same storage."""
    whole: bool = True
    """False if its storage holds more than the tensor."""

    @property
    def width(self) -> int:
        """Bytes of one element; 0 for an empty tensor."""
        return self.nbytes // math.prod(self.shape) if self.nbytes else 0


class NoPlainTensorError(DamagedError):
    """A state dict holds what only its own format can hold, such as a module's extra state."""


Weights = Mapping[str, Tensor]
"""Name in the state dict -> tensor."""


def shared(weights: Weights) -> list[list[str]]:
    """Groups of names whose tensors lie in the same storage: tied weights, and views."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, tensor in weights.items():
        if tensor.nbytes:
            groups.setdefault(tensor.memory, []).append(name)
    return [names for names in groups.values() if len(names) > 1]


# Reading.


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file.

    Raises:
        DamagedError: it is truncated or no such file.
    """
    with rewriting_archives.opened(path) as file:
        try:
            header = read_header(file)
        except UnreadableError as error:
            raise _damaged(path, str(error)) from error
    if problem := header.problem or header.twice:
        raise _damaged(path, problem)
    if len(header.tensors) > TENSOR_LIMIT:
        raise _damaged(path, f"describes more than {TENSOR_LIMIT} tensors")
    return {spec.name: _in_safetensors(path, header.start, spec) for spec in header.tensors}


def _damaged(path: Path, problem: str) -> DamagedError:
    return DamagedError(
        f"{path.name} {problem}.", "Take an earlier checkpoint; weights can't be made up."
    )


def _in_safetensors(path: Path, base: int, spec: TensorSpec) -> Tensor:
    begin, end = spec.offset, spec.offset + spec.nbytes

    def chunks() -> Iterator[bytes]:
        if begin == end:
            return
        with rewriting_archives.opened(path) as file:
            file.seek(base + begin)
            for start in range(begin, end, CHUNK):
                yield file.read(min(CHUNK, end - start))

    place = (path, spec.name)
    return Tensor(spec.dtype, spec.shape, spec.nbytes, chunks, place, place)


def read_archive(path: Path) -> dict[str, Tensor]:
    """Tensors of a `pytorch_model.bin`.

    Raises:
        NoPlainTensorError: it holds something else than plain tensors.
        DamagedError: it is damaged.
    """
    archive = rewriting_archives.read(path)
    if archive.dangerous:
        raise DangerousError(f"{path.name} names {', '.join(archive.dangerous[:3])}.")
    archive.check()
    root = archive.root
    if not isinstance(root, dict) and getattr(root, "function", None) != _ORDERED:
        raise DamagedError(f"{path.name} holds no dict of tensors.")
    tensors = {}
    spent: dict[tuple[Any, ...], int] = {}
    for name, node in list(root.items() if isinstance(root, dict) else root.items):
        if isinstance(node, Call) and node.function == _PARAMETER:
            node = node.args[0]
        if (
            not isinstance(name, str)
            or not isinstance(node, Call)
            or node.function not in (REBUILD, REBUILD_3)
        ):
            raise NoPlainTensorError(
                f"{path.name} holds {name}, which is no plain tensor.",
                "Keep the format that it is in: --weights bin.",
            )
        tensor = in_archive(archive, node)
        tensors[name] = tensor
        spent[tensor.place] = tensor.nbytes
    if sum(spent.values()) > archive.budget:
        raise DamagedError(f"{path.name} describes tensors many times larger than itself.")
    return tensors


def in_archive(archive: Archive, node: Call) -> Tensor:
    """The tensor that a rebuilding call stands for, not read yet.

    Raises:
        DamagedError: its kind is not known here, or it exceeds its storage.
    """
    storage, offset, shape, stride = node.args[:4]
    if not isinstance(storage, Storage) or storage.key not in archive.records:
        raise DamagedError(f"{archive.path.name} is damaged: a tensor has no storage.")
    kind = node.args[6].name if node.function == REBUILD_3 else storage.kind.name
    dtype = BY_TORCH.get(kind)
    if dtype is None or not dtype.in_safetensors:
        raise DamagedError(f"{archive.path.name} holds a tensor of {kind}, which is not supported.")
    nbytes = math.prod(shape) * dtype.width
    if nbytes > archive.budget:
        raise DamagedError(f"{archive.path.name} describes tensors many times larger than itself.")
    last = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    if nbytes and not 0 <= last * dtype.width < archive.sizes[storage.key]:
        raise DamagedError(f"{archive.path.name} is damaged: a tensor exceeds its storage.")

    def chunks() -> Iterator[bytes]:
        if not nbytes:
            return iter(())
        if tuple(stride) == _contiguous(tuple(shape)) or math.prod(shape) == 1:
            return archive.part(storage.key, offset * dtype.width, nbytes)
        return gather(b"".join(archive.chunks(storage.key)), offset, shape, stride, dtype.width)

    memory = (archive.path, storage.key)
    place = (*memory, offset, tuple(shape), tuple(stride))
    whole = nbytes == storage.count * width_of_storage(storage.kind.name)
    return Tensor(dtype.code, tuple(shape), nbytes, chunks, place, memory, whole)


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def gather(
    data: bytes, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], width: int
) -> Iterator[bytes]:
    """Elements of a tensor that is not contiguous, in C order, row by row."""
    codes: dict[int, Literal["B", "H", "I", "Q"]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
    elements = memoryview(data).cast(codes[width])

    def rows(axis: int, start: int) -> Iterator[bytes]:
        if axis == len(shape) - 1:
            step, stop = stride[axis], start + (shape[axis] - 1) * stride[axis] + 1
            row = elements[start:stop:step] if step else elements[start : start + 1]
            yield row.tobytes() * (1 if step else shape[axis])
            return
        for index in range(shape[axis]):
            yield from rows(axis + 1, start + index * stride[axis])

    return rows(0, offset)


# Writing.


def write_safetensors(path: Path, weights: Weights) -> None:
    """Write weights as safetensors, of memory that several names share only the first, as
    accelerate does (`safetensors.torch.load_model` rejects the others)."""
    left_out = {name for names in shared(weights) for name in names[1:]}
    kept = [name for name in weights if name not in left_out]
    kept.sort(key=lambda name: (-weights[name].width, name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in kept:
        tensor = weights[name]
        begin, end = end, end + tensor.nbytes
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in kept:
            for chunk in weights[name].chunks():
                file.write(chunk)


def write_archive(path: Path, weights: Weights) -> None:
    """Write weights as `torch.save` would write the state dict; shared memory stays shared."""
    storages: dict[tuple[Any, ...], Storage] = {}
    records: dict[str, tuple[int, Callable[[], Iterable[bytes]]]] = {}
    root = Call(_ORDERED, ())
    for name, tensor in weights.items():
        if tensor.place not in storages:
            key = str(len(storages))
            storages[tensor.place] = _storage(tensor, key)
            records[key] = (tensor.nbytes, tensor.chunks)
        stride = _contiguous(tensor.shape)
        parts = (storages[tensor.place], 0, tensor.shape, stride, False, Call(_ORDERED, ()))
        dtype = BY_CODE[tensor.dtype]
        if dtype.storage:
            root[name] = Call(REBUILD, parts)
        else:
            root[name] = Call(REBUILD_3, (*parts, Global("torch", dtype.torch)))
    rewriting_archives.write(path, root, records)


def _storage(tensor: Tensor, key: str) -> Storage:
    dtype = BY_CODE.get(tensor.dtype)
    if dtype is None or not dtype.in_safetensors:
        raise DamagedError(
            f"Tensors of dtype {tensor.dtype} can't be written to a .bin file.",
            "Keep the format that they are in: --weights safetensors.",
        )
    if dtype.storage:
        count = math.prod(tensor.shape)
        return Storage(Global("torch", dtype.storage), key, "cpu", count)
    return Storage(Global("torch.storage", UNTYPED), key, "cpu", tensor.nbytes)


def equal(left: Tensor, right: Tensor) -> bool:
    """Whether two tensors are the same, bit for bit."""
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    return _same_bytes(left.chunks(), right.chunks())


def _same_bytes(left: Iterator[bytes], right: Iterator[bytes]) -> bool:
    """Whether two streams, cut in whatever way, are the same."""
    held: tuple[bytes, bytes] = (b"", b"")
    while True:
        a = held[0] or next(left, b"")
        b = held[1] or next(right, b"")
        common = min(len(a), len(b))
        if not common:
            return not a and not b
        if a[:common] != b[:common]:
            return False
        held = (a[common:], b[common:])
