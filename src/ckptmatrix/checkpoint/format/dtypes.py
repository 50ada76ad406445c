"""The element types of tensors: safetensors' word, torch's, its storage class, and the width."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dtype:
    """One element type."""

    code: str
    """safetensors' word, such as `F32`."""
    torch: str
    """Name in torch, such as `float32`."""
    width: int
    """Bytes of one element."""
    storage: str = ""
    """torch's storage class, such as `FloatStorage`; empty where it has none of its own."""
    in_safetensors: bool = True
    """Whether the format has it; its word is ours where it has not."""


DTYPES = (
    Dtype("F64", "float64", 8, "DoubleStorage"),
    Dtype("F32", "float32", 4, "FloatStorage"),
    Dtype("F16", "float16", 2, "HalfStorage"),
    Dtype("BF16", "bfloat16", 2, "BFloat16Storage"),
    Dtype("I64", "int64", 8, "LongStorage"),
    Dtype("I32", "int32", 4, "IntStorage"),
    Dtype("I16", "int16", 2, "ShortStorage"),
    Dtype("I8", "int8", 1, "CharStorage"),
    Dtype("U8", "uint8", 1, "ByteStorage"),
    Dtype("BOOL", "bool", 1, "BoolStorage"),
    Dtype("C64", "complex64", 8, "ComplexFloatStorage"),
    Dtype("C128", "complex128", 16, "ComplexDoubleStorage", in_safetensors=False),
    Dtype("F8_E4M3", "float8_e4m3fn", 1),
    Dtype("F8_E5M2", "float8_e5m2", 1),
    Dtype("U16", "uint16", 2),
    Dtype("U32", "uint32", 4),
    Dtype("U64", "uint64", 8),
)
"""Every type that is known."""

UNTYPED = "UntypedStorage"
"""torch's storage of bytes alone, in which all newer types are kept."""

BY_CODE = {dtype.code: dtype for dtype in DTYPES}
"""safetensors' word -> type."""
BY_TORCH = {
    **{dtype.torch: dtype for dtype in DTYPES},
    **{dtype.storage: dtype for dtype in DTYPES if dtype.storage},
}
"""torch's dtype or storage class -> type."""

_OTHER_WIDTHS = {"QInt32Storage": 4}


def width_of_storage(storage: str) -> int:
    """Bytes of one element of a storage class; 1 for bytes and for what is not known."""
    if storage in BY_TORCH:
        return BY_TORCH[storage].width
    return _OTHER_WIDTHS.get(storage, 1)
