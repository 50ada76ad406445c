"""Following opcodes: the same values as unpickling gives, and nothing that a bomb can do."""

import pickle
import pickletools
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptmatrix.checkpoint.format.inert import InertCall, InertGlobal, Items, Pairs, get, keys_of
from ckptmatrix.checkpoint.format.pickles import OPCODE_LIMIT, read_pickle
from ckptmatrix.checkpoint.format.safety import rate_globals

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


def _materialised(value: object) -> Any:
    """The plain Python value that a followed structure stands for."""
    if isinstance(value, Items):
        return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[value.kind](
            _materialised(member) for member in value.values
        )
    if isinstance(value, Pairs):
        return {_materialised(key): _materialised(member) for key, member in value.values}
    if isinstance(value, InertCall) and value.function.path == "_codecs.encode":
        text, encoding = value.arguments.values
        return text.encode(encoding)
    if isinstance(value, InertCall) and value.function.name == "bytes":
        return b""
    return value


@settings(deadline=None)
@given(PLAIN, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_out_as_they_went_in(value: object, protocol: int) -> None:
    structure = read_pickle(pickle.dumps(value, protocol))
    assert structure.problem == ""
    assert _materialised(structure.value) == value


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    read_pickle(data)
    read_pickle(data + b".")


_OPCODES = st.sampled_from([op.code.encode("latin-1") for op in pickletools.opcodes])


@settings(deadline=None)
@given(st.lists(st.one_of(_OPCODES, st.binary(max_size=3)), max_size=60))
def test_any_opcodes_are_survived(parts: list[bytes]) -> None:
    structure = read_pickle(b"".join(parts) + b".")
    rate_globals(structure.globals)


@settings(deadline=None)
@given(st.data())
def test_any_damage_to_a_real_pickle_is_survived(data: st.DataObject) -> None:
    whole = pickle.dumps({"step": 3, "list": [1, 2, (3, "x")], "f": len}, 2)
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    read_pickle(whole[:at] + bytes([byte]) + whole[at + 1 :])
    assert read_pickle(whole[:at]).problem


class _Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("touch /tmp/ckptmatrix-was-here",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_stays_a_call_and_is_rated(protocol: int) -> None:
    structure = read_pickle(pickle.dumps({"step": 1, "x": _Evil()}, protocol))
    made = get(structure.value, "x")
    assert isinstance(made, InertCall)
    assert made.function.name == "system"
    assert set(rate_globals(structure.globals).values()) == {"dangerous"}


def test_names_seen_before_a_break_are_kept() -> None:
    whole = pickle.dumps(_Evil(), 2)
    structure = read_pickle(whole[:-3] + b"\xff")
    assert structure.problem
    assert "dangerous" in rate_globals(structure.globals).values()


def test_names_computed_on_the_stack_are_dangerous() -> None:
    structure = read_pickle(b"\x80\x04(lK\x01\x93.")
    assert set(rate_globals(structure.globals).values()) <= {"dangerous"}


def test_ratings() -> None:
    names = (("builtins", "eval"), ("train", "MyConfig"), ("torch._utils", "_rebuild_tensor_v2"))
    assert rate_globals(names) == {
        "builtins.eval": "dangerous",
        "torch._utils._rebuild_tensor_v2": "harmless",
        "train.MyConfig": "unknown",
    }


def test_a_name_with_a_line_break_cannot_hide() -> None:
    rated = rate_globals((("os\nx", "system"), ("os", "system")))
    assert set(rated.values()) == {"dangerous"}


BOMBS = {
    "deep nesting": b"\x80\x02)" + b"\x85" * 900_000 + b".",
    "doubling": b"\x80\x02)" + b"q\x00h\x00\x86" * 250_000 + b".",
    "a memo far away": b"\x80\x02Nr\xff\xff\xff\xff.",
    "a size beyond all": b"\x80\x04\x8e" + b"\xff" * 8 + b".",
    "a string of 4 GB": b"\x80\x02X\xff\xff\xff\xff.",
    "a number of many digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "marks without end": b"(" * 2_000_000 + b".",
    "empty dicts without end": b"}" * 30_000_000 + b".",
    "a frame of 2^63": b"\x80\x04\x95" + b"\xff" * 8 + b"N.",
}

_PROBE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from ckptmatrix.checkpoint.format.inert import keys_of
from ckptmatrix.checkpoint.format.pickles import read_pickle
from ckptmatrix.checkpoint.format.tensors import tensors_of
structure = read_pickle(sys.stdin.buffer.read())
print(len(keys_of(structure.value)), len(tensors_of(structure.value, 3)))
"""


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_stay_within_a_gigabyte(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], input=BOMBS[name], capture_output=True, check=False
    )
    assert done.stderr.decode() == ""
    assert done.stdout.decode().strip() == "0 0"


def test_too_many_opcodes_are_said() -> None:
    structure = read_pickle(b"}" * (OPCODE_LIMIT + 1) + b".")
    assert "opcodes" in structure.problem


def test_keys_and_lookup() -> None:
    structure = read_pickle(pickle.dumps({"a": 1, "b": {"c": 2}, 3: 4}, 2))
    assert keys_of(structure.value) == ("a", "b")
    assert get(get(structure.value, "b"), "c") == 2
    assert get(structure.value, 3) == 4
    assert get(structure.value, "nothing") is None
    assert get(InertGlobal("a", "b"), "x") is None
