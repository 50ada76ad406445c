"""Files of torch's that are hostile or damaged."""

import bz2
import gzip
import io
import lzma
import pickle
import struct
import tarfile
from collections.abc import Iterator

from tests.checkpoint.hostile.case import (
    ANY,
    BIN,
    MARK,
    RUN,
    STATES,
    WEIGHTS,
    Case,
    D,
    N,
    X,
    cut,
    put,
)
from tests.checkpoint.hostile.opcodes import (
    Code,
    Entry,
    archive,
    built,
    call,
    changed,
    code,
    entries,
    named,
    named_on_the_stack,
    pickled,
    storage,
    tensor,
    text,
    with_first,
    zipped,
)

NAMES = (
    *(
        "os.system",
        "posix.system",
        "subprocess.Popen",
        "builtins.eval",
        "builtins.exec",
        "nt.system",
    ),
    *("builtins.getattr", "builtins.map", "builtins.open", "builtins.object", "__builtin__.eval"),
    *("pty.spawn", "runpy._run_code", "timeit.timeit", "cProfile.run", "distutils.spawn.spawn"),
    *("multiprocessing.util.spawnv_passfds", "pkgutil.resolve_name", "copyreg._reconstructor"),
    *("types.FunctionType", "marshal.loads", "functools.partial", "operator.attrgetter"),
    *("pickle.loads", "_pickle.loads", "shelve.open", "site.addpackage", "importlib.import_module"),
    *(
        "ctypes.CDLL",
        "socket.socket",
        "urllib.request.urlopen",
        "urllib2.urlopen",
        "commands.getoutput",
    ),
    *("webbrowser.open", "code.InteractiveInterpreter", "typing.ForwardRef", "io.BytesIO"),
    *("torch.load", "torch.hub.load", "torch.jit.load", "torch.storage._load_from_bytes"),
    *("torch.utils.collect_env.run", "torch.fx.graph_module._exec_with_source"),
    *("torch._inductor.runtime.compile_tasks._reload_python_module", "torch.serialization.load"),
    *("torch.package.PackageImporter", "torch.nn.modules.linear.Linear", "torch.EvilStorage"),
    *("numpy.load", "numpy.testing.runstring", "numpy.core.multiarray.fromstring", "numpy.memmap"),
    *("numpy.core.multiarray.scalar2", "numpy.f2py.compile", "torch._utils._rebuild_qtensor"),
)
"""Of the standard library, torch and numpy, none on the allow list."""


def named_files() -> Iterator[Case]:
    for path in NAMES:
        yield put(f"names {path}", D, archive(named(path)))
    for protocol in range(6):
        yield put(f"zip, protocol {protocol}", D, archive(RUN, protocol))
        yield put(f"bare, protocol {protocol}", D, pickled(RUN, protocol))
    for file in STATES:
        yield put("runs", D, archive(RUN), file)
        yield put("bare", D, pickled(RUN), file)
    yield put("runs, old format", D, old_format(pickled(RUN)))
    yield put("as weights", D, archive(RUN), BIN)
    yield put("under the name of safetensors", D, archive(RUN), WEIGHTS)
    yield put("INST", D, zipped(entries(b"(S'" + MARK.encode() + b"'\nios\nsystem\n0}.")))
    yield put("OBJ", D, zipped(entries(b"(cos\nsystem\nS'" + MARK.encode() + b"'\no0}.")))
    yield put("STACK_GLOBAL", D, archive(call(named_on_the_stack("os", "system"), MARK), 4))
    for module, name in (
        ("torch", "os.system"),
        ("collections", "_sys.modules"),
        ("x", "os.system"),
    ):
        yield put(f"dotted {module}:{name}", D, archive(named_on_the_stack(module, name), 4))
    yield put("letters of another alphabet", D, archive(named_on_the_stack("\u043es", "system"), 4))
    yield put("a line break in a name", D, archive(named_on_the_stack("a\nb", "c"), 4))
    yield put("extension code", D, zipped(entries(b"\x80\x02\x82\x010}.")))
    computed = Code(text("os") + call("builtins.str", "system").opcodes + b"\x93")
    yield put("a computed name", D, archive(computed, 4))
    yield put(
        "calls what a call made",
        D,
        archive(call(call("functools.partial", named("os.system")), MARK)),
    )
    for path in ("train.Config", "peft.tuners.lora.Linear", "__main__.State"):
        yield put(f"names {path}", N, archive(named(path)))
    yield put("a pickle inside bytes", ANY, archive(pickled(RUN)))


def layouts() -> Iterator[Case]:
    """Each byte where it does not belong; the pickle inside is harmless or not, nobody knows."""
    whole = entries(pickled(1))
    evil = entries(pickled(RUN))
    double = Entry(b"archive/data.pkl", pickled(RUN))
    for name, data in {
        "a comment": zipped(whole, end={"comment": 3}, after=b"abc"),
        "bytes behind": zipped(whole, after=b"\0"),
        "two ends": zipped(whole) + zipped(evil)[-22:] + b"x",
        "bytes between": zipped(whole, between=b"PK"),
        "a gap": zipped([whole[0], changed(gap=b"gap")(whole[1]), *whole[2:]]),
        "twice the same name": zipped([*whole, double]),
        "the same name first": zipped([double, *whole]),
        "twice but for the case": zipped([*whole, Entry(b"archive/DATA.PKL", pickled(RUN))]),
        "two storages but for the case": zipped(
            [*whole, Entry(b"archive/data/a", b"1"), Entry(b"archive/data/A", b"2")]
        ),
        "two folders": zipped([*whole, *entries(pickled(RUN), "other")]),
        "no folder": zipped([Entry(e.name[8:], e.data) for e in whole]),
        "NUL in a name": zipped([*whole, Entry(b"archive/data.pkl\0x", pickled(RUN))]),
        "a name that is no ASCII": zipped([*whole, Entry("archive/\xe9".encode(), b"")]),
        "packed": zipped(with_first(changed(method=8), whole)),
        "encrypted": zipped(with_first(changed(flags=1), whole)),
        "another local name": zipped(with_first(changed(local_name=b"archive/xata.pkl"), whole)),
        "another local flag": zipped(with_first(changed(local={"flags": 1}), whole)),
        "another local method": zipped(with_first(changed(local={"method": 8}), whole)),
        "another local size": zipped(with_first(changed(local={"size": 70}), whole)),
        "another local checksum": zipped(with_first(changed(local={"crc": 7}), whole)),
        "sizes behind that are not there": zipped(with_first(changed(flags=8), whole)),
        "a comment of a record": zipped(with_first(changed(comment=b"x"), whole)),
        "more counted": zipped(whole, end={"count": 4}),
        "fewer counted": zipped(whole, end={"count": 2}),
        "a longer directory": zipped(whole, end={"length": 9000}),
        "a directory elsewhere": zipped(whole, end={"offset": 3}),
        "a further disk": zipped(whole, end={"disk": 1}),
        "zip64 elsewhere": zipped(whole, zip64={"place": 0}),
        "zip64 with another directory": zipped(whole, zip64={"offset": 5}),
        "zip64 with another count": zipped(whole, zip64={"count": 9}),
        "zip64 of another length": zipped(whole, zip64={"rest": 60}),
        "zip64 with further disks": zipped(whole, zip64={"disks": 2}),
        "zip64, and the end says otherwise": zipped(whole, zip64={}, end={"offset": 1}),
        "TorchScript": zipped([*whole, Entry(b"archive/constants.pkl", pickled(()))]),
        "code": zipped([*whole, Entry(b"archive/code/__torch__.py", b"")]),
        "no data.pkl": zipped(whole[1:]),
        "another zip": zipped([Entry(b"readme.txt", b"x")]),
        "one archive behind another": zipped(evil) + zipped(whole),
    }.items():
        yield put(name, D, data)
    yield put("bytes before", X, b"x" + zipped(whole))
    yield put("zip64", ANY, zipped(whole, zip64={}))
    yield put("big-endian", X, zipped([whole[0], Entry(b"archive/byteorder", b"big"), whole[2]]))


def old_format(data: bytes, keys: object = (), facts: object = None) -> bytes:
    """torch's format from before 1.6."""
    said = facts or {
        "protocol_version": 1001,
        "little_endian": True,
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    parts = (0x1950A86A20F9469CFC6C, 1001, said)
    return b"".join(pickle.dumps(part, 2) for part in parts) + data + pickle.dumps(list(keys), 2)  # type: ignore[call-overload]  # a sequence


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


def damaged() -> Iterator[Case]:
    for file in STATES:
        for name, data in {
            "empty": b"",
            "zeros": bytes(100),
            "a lost block": bytes(5000),
            "a pointer of LFS": b"version https://git-lfs.github.com/spec/v1\nsize 1\n",
            "a page": b"<!DOCTYPE html><html><body>404</body></html>",
            "JSON": b'{"error": "not found"}',
            "only its first bytes": b"PK\3\4",
        }.items():
            yield put(name, X, data, file)
        for kept in (0.3, 0.9):
            yield Case(f"cut to {kept} [{file}]", X, cut(file, kept), file)
    for file in STATES[:3]:
        roots: dict[str, object] = {"a list": [], "nothing": None, "a number": 1, "a text": "x"}
        for name, value in roots.items():
            data = zipped(entries(pickle.dumps(value, 2)))
            yield put(f"holds {name}", X, data, file)
