"""What a pickle describes, worked out from its opcodes; nothing that it names is ever imported.

The standard library's `pickletools` takes the stream apart. The opcodes are then followed on a
stack of inert values: a global stays a name, a call stays an unperformed `InertCall`. Values are
compared and hashed by identity and each opcode makes at most one of them, so that nested,
shared and endless structures cost no more than the length of the stream.
Which globals are dangerous is answered by picklescan, whose list is kept by those who follow it.
"""

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

OPCODE_LIMIT = 1_000_000
"""Opcodes that are followed at most; one tensor takes about 36."""


@dataclass(frozen=True, eq=False, slots=True)
class InertGlobal:
    """A name that the real unpickler would import."""

    module: str
    """Module, such as `torch._utils`."""
    name: str
    """Name inside it, dots allowed."""

    @property
    def path(self) -> str:
        """`module.name`."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Items:
    """A list, tuple, set or frozenset."""

    kind: str
    """`list`, `tuple`, `set` or `frozenset`."""
    values: list[Any] = field(default_factory=list)
    """The members in their order."""


@dataclass(eq=False, slots=True)
class Pairs:
    """A dict; its keys are not hashed, a later pair overrides an earlier one."""

    values: list[tuple[Any, Any]] = field(default_factory=list)
    """Key and value in the order they were set."""


@dataclass(eq=False, slots=True)
class InertCall:
    """An object that the real unpickler would make by calling something."""

    function: Any
    """What would be called, nearly always a `InertGlobal`."""
    arguments: Any
    """Its arguments, nearly always `Items`."""
    state: Any = None
    """What would be given to `__setstate__` or `__dict__` afterwards."""
    items: list[Any] = field(default_factory=list)
    """What would be appended to it afterwards."""
    pairs: list[tuple[Any, Any]] = field(default_factory=list)
    """What would be set on it by key afterwards."""


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """A reference to something beside the pickle; torch's storages."""

    key: Any
    """For torch `Items` of `"storage"`, type, record name, device, number of elements."""


@dataclass(frozen=True)
class PickleStructure:
    """One pickle, followed to its end or to where it breaks."""

    value: Any
    """The object: plain `None`, bool, int, float, str, bytes, or one of the classes above."""
    globals: tuple[tuple[str, str], ...]
    """Each (module, name) that it would import, sorted."""
    problem: str = ""
    """Why it could not be followed to its end; what was seen before that point is still here,
    since a real unpickler would have acted on it."""


class _Mark:
    """The mark on the stack; only its identity matters."""


_MARK = _Mark()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
        "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
        "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
    }
)  # fmt: skip
_IGNORED = frozenset({"PROTO", "FRAME", "READONLY_BUFFER"})


class _Machine:
    """The stack and the memo while the opcodes are followed."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.globals: set[tuple[str, str]] = set()

    def cut(self) -> list[Any]:
        """Take everything above the topmost mark, and the mark."""
        stack = self.stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("no mark")
        above = stack[at + 1 :]
        del stack[at:]
        return above

    def make_global(self, module: Any, name: Any) -> InertGlobal:
        """A name is a name only if both halves are text; anything else is said as such."""
        module = module if isinstance(module, str) else "?"
        name = name if isinstance(name, str) else "?"
        self.globals.add((module, name))
        return InertGlobal(module, name)

    def call(self, function: Any, arguments: Any) -> None:
        self.stack.append(InertCall(function, arguments))


def _tuple_of(machine: _Machine, count: int) -> None:
    stack = machine.stack
    if len(stack) < count:
        raise IndexError("stack too short")
    values = stack[-count:]
    del stack[-count:]
    stack.append(Items("tuple", values))


def _append(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Items):
        target.values.extend(values)
    elif isinstance(target, InertCall):
        target.items.extend(values)


def _set(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    pairs = list(zip(values[::2], values[1::2], strict=False))
    if isinstance(target, Pairs):
        target.values.extend(pairs)
    elif isinstance(target, InertCall):
        target.pairs.extend(pairs)


def _build(machine: _Machine, _: Any) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if isinstance(target, InertCall):
        target.state = state


def _reduce(machine: _Machine, _: Any) -> None:
    arguments = machine.stack.pop()
    machine.call(machine.stack.pop(), arguments)


def _new_with_keywords(machine: _Machine, _: Any) -> None:
    keywords = machine.stack.pop()
    arguments = machine.stack.pop()
    machine.call(machine.stack.pop(), Items("tuple", [arguments, keywords]))


def _global(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.stack.append(machine.make_global(module, name))


def _stack_global(machine: _Machine, _: Any) -> None:
    name = machine.stack.pop()
    machine.stack.append(machine.make_global(machine.stack.pop(), name))


def _instance(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.call(machine.make_global(module, name), Items("tuple", machine.cut()))


def _object(machine: _Machine, _: Any) -> None:
    above = machine.cut()
    machine.call(above[0], Items("tuple", above[1:]))


def _extension(machine: _Machine, code: int) -> None:
    machine.stack.append(machine.make_global("copyreg extension", str(code)))


def _pairs_from_mark(machine: _Machine, _: Any) -> None:
    above = machine.cut()
    machine.stack.append(Pairs(list(zip(above[::2], above[1::2], strict=False))))


def _remember(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


_STEPS: dict[str, Callable[[_Machine, Any], Any]] = {
    "MARK": lambda m, _: m.stack.append(_MARK),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.cut(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "EMPTY_LIST": lambda m, _: m.stack.append(Items("list")),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(Items("tuple")),
    "EMPTY_SET": lambda m, _: m.stack.append(Items("set")),
    "EMPTY_DICT": lambda m, _: m.stack.append(Pairs()),
    "LIST": lambda m, _: m.stack.append(Items("list", m.cut())),
    "TUPLE": lambda m, _: m.stack.append(Items("tuple", m.cut())),
    "FROZENSET": lambda m, _: m.stack.append(Items("frozenset", m.cut())),
    "DICT": _pairs_from_mark,
    "TUPLE1": lambda m, _: _tuple_of(m, 1),
    "TUPLE2": lambda m, _: _tuple_of(m, 2),
    "TUPLE3": lambda m, _: _tuple_of(m, 3),
    "APPEND": lambda m, _: _append(m, [m.stack.pop()]),
    "APPENDS": lambda m, _: _append(m, m.cut()),
    "ADDITEMS": lambda m, _: _append(m, m.cut()),
    "SETITEM": lambda m, _: _set(m, [m.stack.pop(), m.stack.pop()][::-1]),
    "SETITEMS": lambda m, _: _set(m, m.cut()),
    "BUILD": _build,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _new_with_keywords,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _instance,
    "OBJ": _object,
    "EXT1": _extension,
    "EXT2": _extension,
    "EXT4": _extension,
    "PERSID": lambda m, argument: m.stack.append(Stored(argument)),
    "BINPERSID": lambda m, _: m.stack.append(Stored(m.stack.pop())),
    "NEXT_BUFFER": lambda m, _: m.stack.append(Stored("out-of-band buffer")),
    "PUT": _remember,
    "BINPUT": _remember,
    "LONG_BINPUT": _remember,
    "MEMOIZE": lambda m, _: _remember(m, len(m.memo)),
    "GET": lambda m, index: m.stack.append(m.memo[index]),
    "BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.stack.append(m.memo[index]),
}


def read_pickle(data: bytes) -> PickleStructure:
    """Follow the opcodes of one pickle.

    Args:
        data: a whole pickle, such as the record `data.pkl`; what follows its end is ignored.

    Returns:
        Its structure; broken, cut off or longer than `OPCODE_LIMIT`, it comes with a `problem`.
    """
    machine = _Machine()
    stack = machine.stack
    problem = ""
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
            if count >= OPCODE_LIMIT:
                problem = f"has more than {OPCODE_LIMIT} pickle opcodes"
                break
            name = opcode.name
            if name in _LITERALS:
                stack.append(argument)
            elif name in _CONSTANTS:
                stack.append(_CONSTANTS[name])
            elif name == "STOP":
                break
            elif name not in _IGNORED:
                _STEPS[name](machine, argument)
        if not problem and (not stack or stack[-1] is _MARK):
            problem = "is a broken pickle (it ends without an object)"
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        # pickletools and the stack answer a hostile stream with these.
        problem = f"is a broken pickle ({_one_line(error)})"
    value = None if problem else stack[-1]
    return PickleStructure(value, tuple(sorted(machine.globals)), problem)


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:120]


def pairs_of(value: Any) -> Iterator[tuple[Any, Any]]:
    """Key and value of a dict, or of what would become one; nothing for anything else."""
    if isinstance(value, Pairs):
        yield from value.values
    elif isinstance(value, InertCall):
        yield from value.pairs


def get(value: Any, key: str | int) -> Any:
    """Value under a key of a dict, the last one if it is set twice; None if there is none."""
    found = None
    for name, member in pairs_of(value):
        if type(name) is type(key) and name == key:
            found = member
    return found


def keys_of(value: Any) -> tuple[str, ...]:
    """The text keys of a dict, in order, each once."""
    return tuple(dict.fromkeys(key for key, _ in pairs_of(value) if isinstance(key, str)))


def members_of(value: Any) -> list[Any]:
    """The members of a list, tuple or set; empty for anything else."""
    return value.values if isinstance(value, Items) else []
