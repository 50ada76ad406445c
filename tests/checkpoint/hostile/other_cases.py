"""Weights as safetensors, bombs, and what lies around the state."""

import json
import os
import pickle
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.checkpoint.hostile.case import ANY, BIN, CUSTOM, RUN, WEIGHTS, Case, D, X, put, write
from tests.checkpoint.hostile.opcodes import (
    Code,
    archive,
    call,
    code,
    entries,
    named,
    named_on_the_stack,
    pickled,
    storage,
    tensor,
    text,
    zipped,
)


def safetensors() -> Iterator[Case]:
    def file(header: object, payload: bytes = b"", length: int | None = None) -> bytes:
        data = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(data) if length is None else length) + data + payload

    one: dict[str, object] = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    for name, data in {
        "empty": b"",
        "4 bytes": b"1234",
        "zeros": bytes(100),
        "a length of 2^63": file({}, length=1 << 63),
        "a length of 10^8": file({}, length=99_999_999),
        "overlapping": file({"a": one, "b": {**one, "data_offsets": [2, 6]}}, bytes(8)),
        "a hole": file({"a": {**one, "data_offsets": [4, 8]}}, bytes(8)),
        "before the data": file({"a": {**one, "data_offsets": [-4, 0]}}, bytes(8)),
        "backwards": file({"a": {**one, "data_offsets": [4, 0]}}, bytes(8)),
        "a negative shape": file({"a": {**one, "shape": [-1]}}, bytes(8)),
        "another size": file({"a": {**one, "shape": [1000]}}, bytes(4)),
        "2^124 elements": file({"a": {**one, "shape": [1 << 62, 1 << 62]}}, bytes(4)),
        "a shape of floats": file({"a": {**one, "shape": [1.0]}}, bytes(4)),
        "a shape of text": file({"a": {**one, "shape": "abc"}}, bytes(4)),
        "a number of 5,000 digits": file(
            b'{"a":{"dtype":"F32","shape":[' + b"9" * 5000 + b'],"data_offsets":[0,4]}}', bytes(4)
        ),
        "a hundred dimensions": file({"a": {**one, "shape": [1] * 100}}, bytes(4)),
        "offsets of text": file({"a": {**one, "data_offsets": ["0", "4"]}}, bytes(4)),
        "three offsets": file({"a": {**one, "data_offsets": [0, 2, 4]}}, bytes(4)),
        "no dtype": file({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
        "a dtype that is a list": file({"a": {**one, "dtype": ["F32"]}}, bytes(4)),
        "a list": file([]),
        "null": file(b"null"),
        "no UTF-8": file(b'{"\xff":1}'),
        "deep": file(deep),
        "data missing": file({"a": one}, bytes(3)),
        "data over": file({"a": one}, bytes(5)),
        "a tensor twice": file(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
        "a dtype twice": file(
            b'{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', bytes(4)
        ),
        "another file behind": file({"a": one}, bytes(4)) + archive(RUN),
    }.items():
        yield put(name, X, data, WEIGHTS)


def bombs() -> Iterator[Case]:
    doubled = b"".join(
        b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(60)
    )
    laughs = b"\x80\x02]q\x00" + doubled + b"."
    for file in ("optimizer.bin", CUSTOM):
        yield put("2^60 lists in one", ANY, zipped(entries(laughs)), file)
    for file in ("optimizer.bin", "scheduler.bin"):
        state = b"\x80\x02}" + text("state") + laughs[2:-1] + b"s" + text("param_groups") + b"]s."
        yield put("2^60 lists in its state", ANY, zipped(entries(state)), file)
    yield put("300,000 deep", ANY, zipped(entries(b"\x80\x02N" + b"\x85" * 300_000 + b".")))
    yield put(
        "5,000 lists deep", ANY, zipped(entries(b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b"."))
    )
    yield put("holds itself", ANY, zipped(entries(b"\x80\x02}q\x00" + text("a") + b"h\x00s.")))
    wide = tensor(storage(), 0, (1 << 34,), (0,), False, call("collections.OrderedDict"))
    weights = zipped(entries(b"\x80\x02" + code({"w": wide}) + b".", records={"data/0": bytes(4)}))

    def only_bin(directory: Path) -> None:
        (directory / WEIGHTS).unlink()
        (directory / BIN).write_bytes(weights)

    yield Case("a tensor of 64 GB in 4 bytes", ANY, only_bin, BIN)
    yield put("4 million opcodes", D, zipped(entries(b"\x80\x02" + b"]0" * 2_000_001 + b"}.")))
    yield put("33 MB of pickle", D, zipped(entries(pickled(bytes(33 << 20)))))
    huge = b"\x8b" + struct.pack("<i", 100_000) + b"\x7f" * 100_000
    for file in ("scheduler.bin", "optimizer.bin"):
        state = b"\x80\x02}" + text("last_epoch") + huge + b"s."
        yield put("a number of 800,000 bits", ANY, zipped(entries(state)), file)


def keys() -> Iterator[Case]:
    """What is hashed while it is read: without end, or until the process dies."""
    head = b"\x80\x02"
    deep = b"N" + b"\x85" * 200_000
    wide = b"N" + b"".join(b"q%ch%c\x86" % (n, n) for n in range(60))
    for name, key in {"200,000 deep": deep, "of 2^60 parts": wide}.items():
        in_list = Code(b"]" + key + b"a")
        in_pairs = Code(b"](" + key + b"N\x86e")
        for form, opcodes in {
            "SETITEM": b"}" + key + b"Ns",
            "SETITEMS": b"}(" + key + b"Nu",
            "DICT": b"(" + key + b"Nd",
            "ADDITEMS": b"\x8f(" + key + b"\x90",
            "FROZENSET": b"(" + key + b"\x91",
            "set": call("builtins.set", in_list).opcodes,
            "frozenset": call("builtins.frozenset", in_list).opcodes,
            "OrderedDict": call("collections.OrderedDict", in_pairs).opcodes,
        }.items():
            yield put(f"a key {name}, {form}", D, zipped(entries(head + opcodes + b".")))
    made = named("collections.deque").opcodes + b"q\0"
    many = head + b"](" + made + b"h\0)R" * 100_000 + b"e."
    yield put("100,000 deques", ANY, zipped(entries(many)))
    sets = b"\x80\x04](" + b"\x8f" * 200_000 + b"e."
    yield put("200,000 sets", ANY, zipped(entries(sets)))


def around() -> Iterator[Case]:
    """What lies beside the state, and how files are called."""
    escape = "\x1b]0;owned\x07\x1b[31m\u202e"
    yield Case("a name that a terminal obeys", ANY, write(f"a{escape}.txt", "x"))
    yield Case(
        "a name that is no UTF-8", ANY, lambda d: Path(f"{d}/\udcff\udcfe.txt").write_text("x")
    )
    yield put("keys that a terminal obeys", ANY, zipped(entries(pickle.dumps({escape: 1}, 2))))
    yield put("a name that a terminal obeys", D, archive(named_on_the_stack(f"a{escape}", "b"), 4))
    for number in ("999999", "1000000000", "\u0663", "007"):
        yield Case(f"random states of rank {number}", ANY, _another_rank(number))
    yield Case("a file of tools", ANY, lambda d: (d / "zero_to_fp32.py").write_text("import os"))
    yield Case("a pickle of another name", D, lambda d: (d / "more.dat").write_bytes(pickled(RUN)))
    yield Case(
        "an archive of another name", D, lambda d: (d / "more.dat").write_bytes(archive(RUN))
    )
    yield Case("a text pickle", D, lambda d: (d / "note").write_bytes(pickled(RUN, 0)))
    yield Case("six folders down", D, lambda d: _below(d, 6))
    yield Case("a shard", D, lambda d: (d / "__0_0.distcp").write_bytes(archive(RUN)))
    for name, content in {
        "deep": "[" * 200_000,
        "a large number": '{"current_step":' + "9" * 10_000 + "}",
        "not a number": '{"current_step": NaN}',
        "a text for a step": '{"current_step": "<script>"}',
        "a key twice": '{"current_epoch": 1, "current_step": 1, "current_step": 2}',
        "half a pair": '{"\\ud800": 1}',
        "a list": "[1]",
    }.items():
        yield Case(f"JSON: {name}", ANY, write("train_state.json", content))
    for name, content in {
        "out of the folder": '{"weight_map": {"w": "../../../etc/passwd"}}',
        "a list": "[]",
        "no map": '{"weight_map": null}',
        "numbers": '{"weight_map": {"w": 1}}',
        "a tensor twice": '{"weight_map": {"w": "a.safetensors", "w": "b.safetensors"}}',
        "deep": '{"weight_map":' + "[" * 100_000,
    }.items():
        yield Case(f"index: {name}", ANY, _indexed(content))


def _indexed(content: str) -> Callable[[Path], object]:
    def change(directory: Path) -> None:
        (directory / WEIGHTS).unlink()
        (directory / f"{WEIGHTS}.index.json").write_text(content)

    return change


def _another_rank(number: str) -> Callable[[Path], object]:
    def change(directory: Path) -> None:
        data = (directory / "random_states_0.pkl").read_bytes()
        (directory / f"random_states_{number}.pkl").write_bytes(data)

    return change


def _below(directory: Path, depth: int) -> None:
    folder = directory.joinpath(*["d"] * depth)
    folder.mkdir(parents=True)
    (folder / "optimizer.bin").write_bytes(archive(RUN))


def on_disk() -> Iterator[Case]:
    def instead(file: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
        def changed_(directory: Path) -> None:
            (directory / file).unlink()
            make(directory / file)

        return changed_

    for file in (CUSTOM, "optimizer.bin", WEIGHTS):
        yield Case(f"a pipe [{file}]", X, instead(file, os.mkfifo), file)
        yield Case(
            f"a link to a device [{file}]",
            X,
            instead(file, lambda p: p.symlink_to("/dev/zero")),
            file,
        )
        yield Case(
            f"a link to nothing [{file}]", X, instead(file, lambda p: p.symlink_to("nowhere")), file
        )
        yield Case(
            f"a link out [{file}]", X, instead(file, lambda p: p.symlink_to("/etc/hostname")), file
        )
        yield Case(f"a folder [{file}]", ANY, instead(file, Path.mkdir))
    yield Case("a link to the folder above", ANY, lambda d: (d / "up").symlink_to(".."))
    yield Case("a link that turns in a circle", ANY, lambda d: (d / "a.bin").symlink_to("a.bin"))
    yield Case(
        "a terabyte of nothing", X, lambda d: os.truncate(_touched(d / CUSTOM), 1 << 40), CUSTOM
    )
    yield Case(
        "3 GB of header",
        X,
        lambda d: os.truncate(_touched(d / WEIGHTS, struct.pack("<Q", 3 << 30)), (3 << 30) + 8),
        WEIGHTS,
    )


def _touched(path: Path, data: bytes = b"") -> Path:
    path.write_bytes(data)
    return path
