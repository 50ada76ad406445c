"""The header of a safetensors file: names, dtypes, shapes; never the numbers."""

import math
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from ckptmatrix.checkpoint.format.documents import read_document
from ckptmatrix.checkpoint.format.dtypes import BY_CODE
from ckptmatrix.checkpoint.format.opening import UnreadableError, size_of

HEADER_LIMIT = 16 << 20
"""Largest header that is read, in bytes; the format allows 100 MB, a tensor takes about 100."""
DIMENSION_LIMIT = 64
"""Most dimensions that a tensor may have; torch's own limit."""


class _HeaderEntry(msgspec.Struct):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


@dataclass(frozen=True)
class TensorSpec:
    """One tensor as its file describes it."""

    name: str
    """Key in the state dict."""
    dtype: str
    """Element type in safetensors' spelling, such as `F32`, `BF16`, `I64`, `F8_E4M3`."""
    shape: tuple[int, ...]
    """Size of each dimension; empty for a scalar."""
    storage: str = ""
    """What holds its numbers; tensors with the same one are views of it. Empty: its own."""
    offset: int = 0
    """Where its numbers begin, in bytes, in the data of its file or in its storage; -1 if that is
    not the storage's start, or if they do not lie in one piece."""

    nbytes: int = 0
    """Bytes of its numbers, where its file says so."""

    @property
    def numel(self) -> int:
        """Number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count


@dataclass(frozen=True)
class SafetensorsHeader:
    """What a safetensors file says of itself."""

    tensors: tuple[TensorSpec, ...]
    """Every tensor, in the order of the header."""
    metadata: dict[str, str]
    """The free-form `__metadata__`."""
    start: int = 0
    """Where the data begins in the file, in bytes."""
    problem: str = ""
    """Why the numbers cannot all be there, such as a truncated file; empty if they can."""
    twice: str = ""
    """That a name is there twice, one clause; which of them is loaded is the program's choice."""


def read_header(stream: BinaryIO) -> SafetensorsHeader:
    """Read the header and check that the file is as long as it says.

    Raises:
        UnreadableError: empty, no safetensors file, cut off within the header, or a header above
            `HEADER_LIMIT`.
    """
    size = size_of(stream)
    if size == 0:
        raise UnreadableError("is empty (0 bytes)")
    prefix = stream.read(8)
    if len(prefix) < 8:
        raise UnreadableError(f"is truncated ({size} bytes, less than the length of a header)")
    length = int.from_bytes(prefix, "little")
    if prefix[:4] == b"PK\x03\x04":
        raise UnreadableError(
            "is a torch zip under the name of a safetensors file, "
            "as accelerate's save_model of 0.21 and 0.22 wrote it"
        )
    if length > size - 8 and length <= 100_000_000:
        raise UnreadableError(f"is truncated (header of {length} bytes in a file of {size})")
    if length > HEADER_LIMIT:
        raise UnreadableError(f"is no safetensors file, or has a header of {length} bytes")
    return _parse(stream.read(length), size - 8 - length)


def _parse(header: bytes, payload: int) -> SafetensorsHeader:
    """Turn the JSON into specs; `payload` is how many bytes follow it."""
    try:
        raw, twice = read_document(header)
        metadata = raw.pop("__metadata__", {}) if isinstance(raw, dict) else {}
        entries = msgspec.convert(raw, dict[str, _HeaderEntry])
    except (UnreadableError, msgspec.ValidationError) as error:
        raise UnreadableError(f"has a header that is no valid description ({error})") from error
    if any(len(entry.shape) > DIMENSION_LIMIT for entry in entries.values()):
        raise UnreadableError(f"describes a tensor of more than {DIMENSION_LIMIT} dimensions")
    problem = _contradiction(entries, payload)
    return SafetensorsHeader(
        tensors=tuple(
            TensorSpec(
                name,
                entry.dtype,
                tuple(entry.shape),
                offset=entry.data_offsets[0],
                nbytes=entry.data_offsets[1] - entry.data_offsets[0],
            )
            for name, entry in entries.items()
        ),
        metadata={str(key): str(value) for key, value in metadata.items()}
        if isinstance(metadata, dict)
        else {},
        start=8 + len(header),
        problem=problem,
        twice=twice,
    )


def _contradiction(entries: dict[str, _HeaderEntry], payload: int) -> str:
    """Why the numbers cannot be there as described: safetensors wants no gap and no overlap."""
    at = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        begin, end = entry.data_offsets
        if min((*entry.shape, begin, end)) < 0:
            return "describes tensors of negative size"
        if begin != at or end < begin:
            return f"describes tensors that overlap or leave gaps (at {name[:80]!r})"
        known = BY_CODE.get(entry.dtype)
        if known is not None and math.prod(entry.shape) * known.width != end - begin:
            return f"describes a tensor whose shape is not its size ({name[:80]!r})"
        at = end
    if at > payload:
        return f"is truncated ({payload} of {at} bytes of tensor data)"
    return f"holds {payload - at} bytes more than it describes" if at < payload else ""
