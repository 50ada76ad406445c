"""Pickles of harmless names alone, called as no checkpoint calls them."""

from collections.abc import Iterator

from tests.checkpoint.hostile.case import ANY, Case, D, X, put
from tests.checkpoint.hostile.opcodes import (
    Code,
    archive,
    built,
    call,
    code,
    entries,
    named,
    storage,
    tensor,
    zipped,
)

NATIVE = (3, "<", None, None, None, -1, -1, 0)


def _dtype(text_: str = "f8", state: object = NATIVE) -> Code:
    return built(call("numpy.dtype", text_, False, True), state)


def _array(dtype: Code, data: object = b"\0" * 8, shape: object = (1,)) -> Code:
    made = call("numpy.core.multiarray._reconstruct", named("numpy.ndarray"), (0,), b"b")
    return built(made, (1, shape, dtype, False, data))


_SHARDS = "torch.distributed.checkpoint.metadata"


def _new(path: str) -> Code:
    return Code(named(path).opcodes + b")\x81")


def _with_attributes(
    function: Code | None = None,
    kind: str = "torch.Tensor",
    inner: tuple[object, ...] = (),
    state: object = (),
) -> Code:
    """A tensor with attributes, as FSDP saves it."""
    ordered = call("collections.OrderedDict")
    return call(
        "torch._tensor._rebuild_from_type_v2",
        function or named("torch._utils._rebuild_tensor_v2"),
        named(kind),
        inner or (storage(), 0, (1,), (1,), False, ordered),
        state or {"_has_been_cloned": True},
    )


def forged() -> Iterator[Case]:
    """Calls of harmless names, as no checkpoint makes them."""
    ordered = call("collections.OrderedDict")
    whole_tensor = tensor(storage(), 0, (1,), (1,), False, ordered)
    for name, value in {
        "a dtype of objects": _array(_dtype("O8", (3, "|", None, None, None, -1, -1, 63))),
        "a dtype with forged flags": _array(_dtype("V8", (3, "|", None, None, None, 8, 1, 63))),
        "a dtype of fields": _dtype("f8", (3, "|", None, ("a",), {"a": 1}, 8, 1, 0)),
        "a dtype without arguments": call("numpy.dtype"),
        "a state that is none": _dtype("f8", 5),
        "an array of a list": _array(_dtype(), [1]),
        "an array of a negative shape": _array(_dtype(), shape=(-1,)),
        "an array of 2^45": call("numpy.ndarray", (1 << 45,)),
        "a scalar of nothing": call("numpy.core.multiarray.scalar", _dtype(), None),
        "a scalar of no dtype": call("numpy.core.multiarray.scalar", 1, b""),
        "a storage of 2^42": call("torch.FloatStorage", 1 << 42),
        "a tensor by its class": call("torch.Tensor", 1 << 42),
        "a parameter of nothing": call("torch._utils._rebuild_parameter"),
        "2^34 bytes": call("builtins.bytearray", 1 << 34),
        "bytes of a count": call("builtins.bytes", 1 << 34),
        "a text of anything": call("builtins.str", [1]),
        "a list of a list": call("builtins.list", [1]),
        "an int of a text": call("builtins.int", "9" * 10_000),
        "another codec": call("_codecs.encode", "x", "rot13"),
        "letters beyond latin-1": call("_codecs.encode", "\u20ac", "latin1"),
        "a size of texts": call("torch.Size", ["a"]),
        "a device of a number": call("torch.device", 5),
        "a default of a call": call("collections.defaultdict", ordered),
        "a counter of a number": call("collections.Counter", 5),
        "a queue of a number": call("collections.deque", 5),
        "a set of a number": call("builtins.set", 5),
        "a complex of a text": call("builtins.complex", "x", 1),
        "a state for a class": built(named("torch.Size"), {"__reduce__": 1}),
        "a state for a dict": built(Code(b"}"), {"a": 1}),
        "two states": built(built(ordered, {"a": 1}), {"b": 2}),
        "no tuple of arguments": Code(named("torch.Size").opcodes + code([1]) + b"R"),
        "an index of a tensor": Code(whole_tensor.opcodes + code([0]) + code(1) + b"s"),
        "indices of a tensor": Code(whole_tensor.opcodes + b"(" + code((0,)) + code(1) + b"u"),
        "append to a storage": Code(storage().opcodes + code(1) + b"a"),
        "an index of a size": Code(call("torch.Size", (1,)).opcodes + code(0) + code(1) + b"s"),
        "a path of a call": call("pathlib.PosixPath", ordered),
        "a path with a state": built(call("pathlib.PosixPath", "a"), {"_str": 1}),
        "fields by a call": call(f"{_SHARDS}.Metadata", 1),
        "a field that Python reads": built(_new(f"{_SHARDS}.Metadata"), {"__class__": 1}),
        "properties of text": built(_new(f"{_SHARDS}.TensorProperties"), ("a", 1, 2, 3, 4)),
        "a layout of a number": call("torch.serialization._get_layout", 1),
        "a memory format of text": call(f"{_SHARDS}._MEM_FORMAT_ENCODING", "a"),
        "attributes by another function": _with_attributes(named("torch.Size"), inner=((1,),)),
        "attributes of another type": _with_attributes(kind="collections.OrderedDict"),
        "attributes beyond the storage": _with_attributes(
            inner=(storage(), 0, (1 << 40,), (1,), False, ordered)
        ),
        "an attribute that Python reads": _with_attributes(
            state={"__class__": named("torch.Size")}
        ),
    }.items():
        yield put(name, D, archive(value, 3, _0=b"\0" * 4))  # torch wants records of this length
    for name, value in {
        "no storage": tensor(1, 0, (1,), (1,), False, None),
        "too few arguments": tensor(1),
        "negative strides": tensor(storage(count=4), 3, (4,), (-1,), False, None),
        "a negative size": tensor(storage(count=4), 0, (-4,), (1,), False, None),
        "two negative sizes": tensor(storage(count=4), 0, (-1, -4), (1, 1), False, None),
        "a negative place": tensor(storage(), -1, (1,), (1,), False, None),
        "beyond its storage": tensor(storage(), 0, (1 << 40,), (1,), False, None),
        "a size of text": tensor(storage(), 0, "abc", "abc", False, None),
        "a size of floats": tensor(storage(), 0, (1.0,), (1.0,), False, None),
        "strides too few": tensor(storage(count=4), 0, (2, 2), (1,), False, None),
        "a hundred dimensions": tensor(storage(), 0, (1,) * 100, (0,) * 100, False, None),
        "a key that is a number": tensor(storage(key=0), 0, (1,), (1,), False, None),
        "a count that is a text": storage(count="x"),
        "a number for a storage": Code(b"K\x01Q"),
        "another storage": storage(kind="evil.FloatStorage"),
    }.items():
        yield put(name, D, archive(value, 3, _0=b"\0" * 16))
    yield put("a tensor with an attribute", ANY, archive(_with_attributes(), _0=b"\0" * 16))
    yield put("a path", ANY, archive(call("pathlib.PosixPath", "/", "a")))
    for name, data in {
        "a key that is a list": b"\x80\x02}]Ns.",
        "a set of dicts": b"\x80\x04\x8f(}\x90.",
        "an item of a number": b"\x80\x02K\x01K\x02K\x03s.",
        "append to a dict": b"\x80\x02}Na.",
    }.items():
        yield put(name, D, zipped(entries(data)))
    yield put("no record", X, archive(storage("7")))
    yield put("a record of another folder", X, archive(storage("../version", 0)))
    yield put("a short record", X, archive(storage(count=400), _0=b"\0" * 16))
