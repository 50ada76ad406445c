"""What is changed in pickled state files so that every release can read them.

numpy's pickles name `numpy.core.multiarray` or, since numpy 2, `numpy._core.multiarray`; torch and
accelerate allow one spelling, or none (huggingface/accelerate#3433, pytorch/pytorch#142144). What
holds no numpy at all loads everywhere.
"""

import struct
from dataclasses import dataclass
from typing import Any

from ckptmatrix.checkpoint.format import rewriting_pickles
from ckptmatrix.checkpoint.format.numpy_core import NUMPY_CORES, NumpyCore
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError
from ckptmatrix.checkpoint.format.rewriting_pickles import Call, Global
from ckptmatrix.knowledge.releases import ACCELERATE, NUMPY, TORCH

_CODES = {"f8": "d", "f4": "f", "f2": "e", "b1": "?"} | {
    f"{kind}{size}": code
    for kind, codes in (("i", "bhiq"), ("u", "BHIQ"))
    for size, code in zip((1, 2, 4, 8), codes, strict=True)
}
"""numpy's dtype -> `struct`'s code."""

_REFUSING = TORCH.span_of(refuses_by_default=True)
_ASKING = ACCELERATE.span_of(asks_weights_only=True)


@dataclass(frozen=True)
class FileChange:
    """One thing that was changed, and why."""

    file: str
    """Name of the file in the checkpoint."""
    what: str
    """What was changed."""
    why: str
    """Who needs it."""


def without_numpy_state(states: Any, name: str) -> tuple[Any, list[FileChange]]:
    """Random states with numpy's as `("MT19937", [624 ints], pos, has_gauss, cached)`.

    Raises:
        DamagedError: numpy's state is of another kind.
    """
    kind, keys, *rest = states[RandomKey.NUMPY]
    if isinstance(keys, list):
        return states, []
    numbers = _numbers(keys, name)
    if kind != "MT19937" or len(numbers) != 624:
        raise DamagedError(f"{name} holds a numpy state of {kind} that is not understood.")
    change = FileChange(
        name,
        "numpy's random state is a plain list of 624 numbers",
        f"torch {_REFUSING.words} refuse numpy's classes, and accelerate's allow list has one "
        "numpy generation's names; then every random state and step are dropped",
    )
    return {**states, RandomKey.NUMPY.value: (kind, numbers, *rest)}, [change]


def _numbers(node: Any, name: str) -> list[Any]:
    """Numbers of a pickled one-dimensional array."""
    match node:
        case Call(Global(module, "_reconstruct"), state=(_, (_,), Call() as dtype, _, data)) if (
            module in NUMPY_CORES
        ):
            raw = raw_bytes(data)
            code = _code(dtype)
            if raw is not None and code and len(raw) % struct.calcsize(code) == 0:
                return list(
                    struct.unpack(f"{code[0]}{len(raw) // struct.calcsize(code)}{code[1]}", raw)
                )
    raise DamagedError(f"{name} holds a numpy state that is not understood.")


def _code(dtype: Call) -> str | None:
    """`struct` format of a pickled dtype, byte order first."""
    order = dtype.state[1] if dtype.state else "|"
    code = _CODES.get(str(dtype.args[0]).lstrip("<>|="))
    return code and (">" if order == ">" else "<") + code


def raw_bytes(node: Any) -> bytes | None:
    """Bytes as pickle protocol 2 spells them, or as they are."""
    match node:
        case bytes():
            return node
        case Call(Global("_codecs", "encode"), (str(text), "latin1")):
            return text.encode("latin1")
        case Call(Global("__builtin__" | "builtins", "bytes"), ()):
            return b""
    return None


def plain_scalars(root: Any, name: str) -> tuple[Any, list[FileChange]]:
    """numpy's scalars (a learning rate of `np.float64`) as Python numbers of the same value."""
    found = 0

    def change(node: Any) -> Any:
        nonlocal found
        match node:
            case Call(Global(module, "scalar"), (Call() as dtype, data)) if module in NUMPY_CORES:
                raw, code = raw_bytes(data), _code(dtype)
                if raw is not None and code and len(raw) == struct.calcsize(code):
                    found += 1
                    return struct.unpack(code, raw)[0]
        return node

    changed = rewriting_pickles.rebuild(root, change)
    if not found:
        return root, []
    why = f"accelerate {_ASKING.words}, and torch {_REFUSING.words}, refuse numpy's scalars"
    return changed, [FileChange(name, f"{found} numpy scalars are Python numbers", why)]


def older_spelling(root: Any, name: str) -> tuple[Any, list[FileChange]]:
    """numpy 2's name for its core as numpy 1's, which both generations read."""

    def change(node: Any) -> Any:
        if isinstance(node, Global) and node.module == NumpyCore.NUMPY_2.multiarray:
            return Global(NumpyCore.NUMPY_1.multiarray, node.name)
        if isinstance(node, Call):
            node.function = change(node.function)
        return node

    named = (node for node in rewriting_pickles.walk(root) if isinstance(node, Global))
    if all(node.module != NumpyCore.NUMPY_2.multiarray for node in named):
        return root, []
    why = f"numpy {NUMPY.span_of(knows_new_core=False).words} has no {NumpyCore.NUMPY_2}"
    what = f"numpy arrays are spelt {NumpyCore.NUMPY_1}, which numpy 1 and 2 both read"
    return rewriting_pickles.rebuild(root, change), [FileChange(name, what, why)]


def globals_of(root: Any) -> set[str]:
    """Every name that a graph refers to."""
    return {str(node) for node in rewriting_pickles.walk(root) if isinstance(node, Global)}
