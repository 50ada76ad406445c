"""What a pickle describes, worked out from its opcodes; nothing that it names is ever imported.

The opcodes are followed on a stack of inert values. Each of them makes at most one value, so that
nested, shared and endless structures cost no more than the length of the stream.
Which globals are dangerous is answered by `safety`, which calls of harmless ones are by
`arguments`.
"""

from collections.abc import Callable
from typing import Any

from ckptmatrix.checkpoint.format.inert import (
    KEY_LIMIT,
    InertCall,
    InertGlobal,
    Items,
    Pairs,
    PickleStructure,
    Stored,
    is_key,
)
from ckptmatrix.checkpoint.format.opcodes import opcodes

OPCODE_LIMIT = 4_000_000
"""Opcodes of one pickle that are followed at most, as in `resume.py`. One tensor takes about 36, so
that is 110,000 of them. Each makes one value of at most 140 bytes."""
DIRECTORY_OPCODES = 6_000_000
"""The same for all files of a directory together."""


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
        self.calls: list[InertCall] = []
        self.changed: list[Any] = []
        self.stored: list[Stored] = []

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

    def call(self, function: Any, arguments: Any, opcode: str = "REDUCE") -> None:
        made = InertCall(function, arguments, opcode)
        self.calls.append(made)
        self.stack.append(made)


def _tuple_of(machine: _Machine, count: int) -> None:
    stack = machine.stack
    if len(stack) < count:
        raise IndexError("stack too short")
    values = stack[-count:]
    del stack[-count:]
    stack.append(Items("tuple", values))


_UNHASHABLE = frozenset(
    {
        *(f"collections.{name}" for name in ("OrderedDict", "defaultdict", "Counter", "deque")),
        *(f"{module}.{n}" for module in ("builtins", "__builtin__") for n in ("set", "bytearray")),
    }
)


def _hashed(values: list[Any]) -> list[Any]:
    """Keys or members of a set, none of which is what the real unpickler would stumble over."""
    for value in values:
        if isinstance(value, Pairs) or (isinstance(value, Items) and value.kind in ("list", "set")):
            raise ValueError("unhashable")
        function = value.function if isinstance(value, InertCall) else None
        if isinstance(function, InertGlobal) and function.path in _UNHASHABLE:
            raise ValueError("unhashable")
        if not is_key(value):
            raise ValueError(f"a key of more than {KEY_LIMIT} parts")
    return values


def _append(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Items) and target.kind == "list":
        target.values.extend(values)
    elif isinstance(target, InertCall):
        target.items.extend(values)
    else:
        raise ValueError("append to what is no list")


def _add(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Items) and target.kind == "set":
        target.values.extend(_hashed(values))
    elif isinstance(target, InertCall):
        target.items.extend(_hashed(values))
    else:
        raise ValueError("add to what is no set")


def _paired(values: list[Any]) -> list[tuple[Any, Any]]:
    if len(values) % 2:
        raise ValueError("a key without a value")
    return list(zip(_hashed(values[::2]), values[1::2], strict=True))


def _set(machine: _Machine, values: list[Any]) -> None:
    target = machine.stack[-1]
    if isinstance(target, Pairs):
        target.values.extend(_paired(values))
    elif isinstance(target, InertCall):
        target.pairs.extend(_paired(values))
    else:
        raise ValueError("a key for what is no dict")


def _store(machine: _Machine, key: Any) -> None:
    stored = Stored(key)
    machine.stored.append(stored)
    machine.stack.append(stored)


def _build(machine: _Machine, _: Any) -> None:
    state = machine.stack.pop()
    target = machine.stack[-1]
    if isinstance(target, InertCall) and target.state is None:
        target.state = state
    else:
        machine.changed.append(target)


def _reduce(machine: _Machine, _: Any) -> None:
    arguments = machine.stack.pop()
    machine.call(machine.stack.pop(), arguments)


def _new(machine: _Machine, _: Any) -> None:
    arguments = machine.stack.pop()
    machine.call(machine.stack.pop(), arguments, "NEWOBJ")


def _new_with_keywords(machine: _Machine, _: Any) -> None:
    keywords = machine.stack.pop()
    arguments = machine.stack.pop()
    machine.call(machine.stack.pop(), Items("tuple", [arguments, keywords]), "NEWOBJ_EX")


def _global(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.stack.append(machine.make_global(module, name))


def _stack_global(machine: _Machine, _: Any) -> None:
    name = machine.stack.pop()
    machine.stack.append(machine.make_global(machine.stack.pop(), name))


def _instance(machine: _Machine, argument: str) -> None:
    module, _, name = argument.partition(" ")
    machine.call(machine.make_global(module, name), Items("tuple", machine.cut()), "INST")


def _object(machine: _Machine, _: Any) -> None:
    above = machine.cut()
    machine.call(above[0], Items("tuple", above[1:]), "OBJ")


def _extension(machine: _Machine, code: int) -> None:
    machine.stack.append(machine.make_global("copyreg extension", str(code)))


def _pairs_from_mark(machine: _Machine, _: Any) -> None:
    machine.stack.append(Pairs(_paired(machine.cut())))


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
    "FROZENSET": lambda m, _: m.stack.append(Items("frozenset", _hashed(m.cut()))),
    "DICT": _pairs_from_mark,
    "TUPLE1": lambda m, _: _tuple_of(m, 1),
    "TUPLE2": lambda m, _: _tuple_of(m, 2),
    "TUPLE3": lambda m, _: _tuple_of(m, 3),
    "APPEND": lambda m, _: _append(m, [m.stack.pop()]),
    "APPENDS": lambda m, _: _append(m, m.cut()),
    "ADDITEMS": lambda m, _: _add(m, m.cut()),
    "SETITEM": lambda m, _: _set(m, [m.stack.pop(), m.stack.pop()][::-1]),
    "SETITEMS": lambda m, _: _set(m, m.cut()),
    "BUILD": _build,
    "REDUCE": _reduce,
    "NEWOBJ": _new,
    "NEWOBJ_EX": _new_with_keywords,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "INST": _instance,
    "OBJ": _object,
    "EXT1": _extension,
    "EXT2": _extension,
    "EXT4": _extension,
    "PERSID": _store,
    "BINPERSID": lambda m, _: _store(m, m.stack.pop()),
    "NEXT_BUFFER": lambda m, _: _store(m, "out-of-band buffer"),
    "PUT": _remember,
    "BINPUT": _remember,
    "LONG_BINPUT": _remember,
    "MEMOIZE": lambda m, _: _remember(m, len(m.memo)),
    "GET": lambda m, index: m.stack.append(m.memo[index]),
    "BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.stack.append(m.memo[index]),
}


def read_pickle(data: bytes, *, alone: bool = True, limit: int = OPCODE_LIMIT) -> PickleStructure:
    """Follow the opcodes of one pickle.

    Args:
        data: a pickle, such as the record `data.pkl`.
        alone: whether nothing may follow it.
        limit: how many opcodes are followed, and never more than `OPCODE_LIMIT`.

    Returns:
        Its structure; broken, cut off, longer than `limit`, or such that another unpickler could
        see something else, it comes with a `problem`.
    """
    limit = min(limit, OPCODE_LIMIT)
    machine = _Machine()
    stack = machine.stack
    problem, count, end = "", 0, 0
    try:
        for opcode, argument, behind in opcodes(data):
            end = behind
            count += 1
            if count > limit:
                problem = f"has more than {limit} pickle opcodes"
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
        if not problem and alone and end != len(data):
            problem = "holds more than its pickle"
    except (ValueError, IndexError, KeyError, OverflowError, MemoryError) as error:
        # pickletools and the stack answer a hostile stream with these.
        problem = f"is a broken pickle ({_one_line(error)})"
    value = None if problem else stack[-1]
    return PickleStructure(
        value,
        tuple(sorted(machine.globals)),
        problem,
        calls=tuple(machine.calls),
        changed=tuple(machine.changed),
        stored=tuple(machine.stored),
        end=end,
        opcodes=count,
    )


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:120]
