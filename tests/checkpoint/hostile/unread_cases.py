"""Formats that are not read, and pickles that no pickler writes."""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
from collections.abc import Iterator

from tests.checkpoint.hostile.case import ANY, RUN, Case, D, put
from tests.checkpoint.hostile.opcodes import call, entries, old_format, pickled, zipped


def unread() -> Iterator[Case]:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("sys_info", "storages", "tensors", "pickle"):
            info = tarfile.TarInfo(name)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"\x80\x02N."))
    yield put("torch's tar", D, packed.getvalue())
    for name, data in {
        "gzip": gzip.compress(pickled(RUN)),
        "bzip2": bz2.compress(pickled(RUN)),
        "xz": lzma.compress(pickled(RUN)),
    }.items():
        yield put(name, D, data)
    magic = pickled(call("builtins.eval", "0x1950A86A20F9469CFC6C"))
    yield put("a computed magic number", D, magic + pickle.dumps(1001, 2) + pickled(RUN))
    yield put("old format, other facts", D, old_format(pickled(1), facts={"little_endian": False}))
    yield put("old format, and more", D, old_format(pickled(1)) + b"x")
    yield put("old format", ANY, old_format(pickle.dumps({}, 2)))
    for name, data in {
        "a frame in a frame": b"\x80\x05\x95\x0c" + bytes(7) + b"\x95\x02" + bytes(7) + b"}.",
        "across a frame": b"\x80\x05\x95\x02" + bytes(7) + b"B\x02\x00\x00\x00ab0}.",
        "a frame beyond the end": b"\x80\x05\x95\xff" + bytes(7) + b"}.",
        "a number in hex": b"\x80\x02I0x10\n0" + RUN.opcodes + b"0}.",
        "an octal number": b"\x80\x02I010\n0}.",
        "a number with a blank": b"\x80\x02I 1\n0}.",
        "a name in UTF-8": b"\x80\x02c\xd0\xbes\nsystem\n0}.",
        "a second pickle": pickled(1) + pickled(RUN),
        "protocol 6": b"\x80\x06}.",
        "an unknown opcode": b"\x80\x02\xff}.",
        "no end": b"\x80\x02}",
        "a short stack": b"\x80\x020.",
        "a name before it breaks": b"\x80\x02" + RUN.opcodes + b"\xff",
        "2^31 bytes of a number": b"\x80\x02\x8b\xff\xff\xff\x7f.",
        "a negative number of bytes": b"\x80\x02\x8b\xfb\xff\xff\xff.",
        "2^33 bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 33) + b".",
        "2^40 bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b".",
        "a memo far away": b"\x80\x02j\xff\xff\xff\xff.",
        "more opcodes than are read": b"\x80\x02" + b"N0" * 500_001 + RUN.opcodes + b"0}.",
    }.items():
        yield put(name, D, zipped(entries(data)))
    sparse = zipped(entries(pickled(1)))
    yield put("a sparse end", D, sparse[:-6] + b"\0" * 6)
