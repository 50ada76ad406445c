"""Pickles and archives put together piece by piece, so that each piece can be wrong."""

import pickle
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Code:
    """Opcodes that leave one object on the stack."""

    opcodes: bytes


def text(value: str) -> bytes:
    """A text, in protocol 2."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def named(path: str) -> Code:
    """A name, by GLOBAL."""
    module, _, name = path.rpartition(".")
    return Code(f"c{module}\n{name}\n".encode())


def named_on_the_stack(module: str, name: str) -> Code:
    """A name, by STACK_GLOBAL, dots in either half allowed."""
    return Code(text(module) + text(name) + b"\x93")


def code(value: object) -> bytes:
    """The opcodes of a value: of Python's, or of `Code`."""
    if isinstance(value, Code):
        return value.opcodes
    if isinstance(value, bytes):
        return b"B" + struct.pack("<I", len(value)) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(code, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(code, value)) + b"e"
    if isinstance(value, dict):
        return b"}(" + b"".join(code(k) + code(v) for k, v in value.items()) + b"u"
    return pickle.dumps(value, 2)[2:-1]


def call(function: str | Code, *arguments: object) -> Code:
    """A call, by REDUCE."""
    name = named(function) if isinstance(function, str) else function
    return Code(name.opcodes + code(arguments) + b"R")


def built(made: Code, state: object) -> Code:
    """An object that is given a state, by BUILD."""
    return Code(made.opcodes + code(state) + b"b")


def storage(key: object = "0", count: object = 1, kind: str = "torch.FloatStorage") -> Code:
    """A persistent id of torch's."""
    return Code(code(("storage", named(kind), key, "cpu", count)) + b"Q")


def tensor(*arguments: object) -> Code:
    """A tensor of torch's with whatever arguments."""
    return call("torch._utils._rebuild_tensor_v2", *arguments)


def pickled(value: object, protocol: int = 2) -> bytes:
    """A whole pickle that makes a value, throws it away, and leaves an empty dict."""
    head = b"\x80" + bytes([protocol]) if protocol >= 2 else b""
    return head + code(value) + b"0}."


@dataclass(frozen=True)
class Entry:
    """A record of an archive, with what its headers say of it."""

    name: bytes
    data: bytes
    flags: int = 0
    method: int = 0
    local: dict[str, int] | None = None
    """What its local header says otherwise: `flags`, `method`, `size`, `crc`."""
    local_name: bytes = b""
    """Its name there, if another."""
    extra: bytes = b""
    gap: bytes = b""
    """Bytes before it that nothing accounts for."""
    comment: bytes = b""


def entries(
    data: bytes, folder: str = "archive", records: dict[str, bytes] | None = None
) -> list[Entry]:
    """The records that torch.save writes around a pickle."""
    names = {"data.pkl": data, "byteorder": b"little", "version": b"3\n"}
    found = {**names, **(records or {})}
    return [Entry(f"{folder}/{name}".encode(), content) for name, content in found.items()]


def zipped(
    records: list[Entry],
    *,
    zip64: dict[str, int] | None = None,
    end: dict[str, int] | None = None,
    before: bytes = b"",
    between: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """An archive, with what is asked for wrong in it.

    Args:
        records: its records.
        zip64: there is a zip64 end record, in which these are wrong.
        end: what is wrong in the end record.
        before: bytes before the first record.
        between: bytes between records and directory.
        after: bytes behind the end record.
    """
    body, directory = bytearray(before), b""
    for one in records:
        body += one.gap
        said = one.local or {}
        name, size, crc = one.name, len(one.data), zlib.crc32(one.data)
        packed = zlib.compress(one.data)[2:-4] if one.method == 8 else one.data
        offset = len(body)
        called = one.local_name or name
        body += struct.pack(
            "<4s5H3I2H", b"PK\3\4", 20, said.get("flags", one.flags),
            said.get("method", one.method), 0, 0, said.get("crc", crc), len(packed),
            said.get("size", size), len(called), len(one.extra),
        ) + called + one.extra + packed  # fmt: skip
        directory += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, one.flags, one.method, 0, 0, crc, len(packed), size,
            len(name), 0, len(one.comment), 0, 0, 0, offset,
        ) + name + one.comment  # fmt: skip
    body += between
    fields = {"count": len(records), "length": len(directory), "offset": len(body), "disk": 0}
    out = bytes(body) + directory
    last = {**fields, "comment": 0, **(end or {})}
    if zip64 is not None:
        wide = {**fields, "rest": 44, "place": len(out), "disks": 1, **zip64}
        out += struct.pack(
            "<4sQ2H2I4Q", b"PK\6\6", wide["rest"], 45, 45, 0, 0, wide["count"], wide["count"],
            wide["length"], wide["offset"],
        ) + struct.pack("<4sIQI", b"PK\6\7", 0, wide["place"], wide["disks"])  # fmt: skip
    out += struct.pack(
        "<4s4H2IH", b"PK\5\6", last["disk"], 0, last["count"], last["count"], last["length"],
        last["offset"], last["comment"],
    )  # fmt: skip
    return out + after


def archive(value: object, protocol: int = 2, _0: bytes | None = None) -> bytes:
    """A sound archive around a pickle that makes a value and throws it away.

    Args:
        value: the value.
        protocol: of the pickle.
        _0: the record `data/0`, if there is one.
    """
    records = {} if _0 is None else {"data/0": _0}
    return zipped(entries(pickled(value, protocol), records=records))


def old_format(data: bytes, keys: object = (), facts: object = None) -> bytes:
    """torch's format from before 1.6."""
    said = facts or {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    parts = (0x1950A86A20F9469CFC6C, 1001, said)
    return b"".join(pickle.dumps(part, 2) for part in parts) + data + pickle.dumps(list(keys), 2)  # type: ignore[call-overload]  # a sequence


def with_first(change: Callable[[Entry], Entry], records: list[Entry]) -> list[Entry]:
    """The records with the first one changed."""
    return [change(records[0]), *records[1:]]


def changed(**fields: object) -> Callable[[Entry], Entry]:
    """Give a record other fields."""
    return lambda entry: replace(entry, **fields)  # type: ignore[arg-type]  # fields by name
