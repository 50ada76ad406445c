"""Pickles as graphs of symbols: read, changed and written without importing anything they name.

What `pickles` has followed becomes a graph of Python's containers with symbols in it: a global is
a `Global`, a call that the pickle asks for a `Call`, a storage of a torch archive a `Storage`.
Nothing is ever imported or run, so neither torch nor numpy is needed and a hostile file can do no
more than be wrong; what it expands to is bounded.
"""

import io
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ckptmatrix.checkpoint.format.arguments import storage_of
from ckptmatrix.checkpoint.format.inert import (
    InertCall,
    InertGlobal,
    Items,
    Pairs,
    PickleStructure,
    Stored,
)

_Writer: Any = pickle._Pickler


@dataclass(frozen=True)
class Global:
    """A name that a pickle refers to."""

    module: str
    """Such as `torch._utils`; the `__builtin__` of protocol 2 is kept as it is."""
    name: str
    """Such as `_rebuild_tensor_v2`."""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def __call__(self, *args: Any) -> "Call":
        """The call of this name, not made."""
        return Call(self, args)


@dataclass(eq=False)
class Call:
    """An object that a pickle makes: a call, then what is put into the result."""

    function: Global
    """What is called."""
    args: tuple[Any, ...]
    """Its arguments."""
    new: bool = False
    """True for `cls.__new__(cls, *args)` instead of `function(*args)`."""
    items: list[tuple[Any, Any]] = field(default_factory=list)
    """Keys and values set afterwards."""
    appended: list[Any] = field(default_factory=list)
    """What is appended afterwards."""
    state: Any = None
    """What `__setstate__` gets; None if there is none."""

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items.append((key, value))


@dataclass(eq=False)
class Storage:
    """A piece of memory, kept in a record of the archive."""

    kind: Global
    """Storage class, such as `torch.FloatStorage`."""
    key: str
    """Name of the record under `data/`."""
    location: str
    """Device it was on, such as `cpu` or `cuda:0`."""
    count: int
    """Number of elements."""


class _SymbolicWriter(_Writer):  # type: ignore[misc]  # Any is its base
    """Pickle's writer, for graphs that hold symbols."""

    dispatch: ClassVar[dict[type, Any]] = dict(_Writer.dispatch)

    def persistent_id(self, obj: Any) -> Any:
        if not isinstance(obj, Storage):
            return None
        return ("storage", obj.kind, obj.key, obj.location, obj.count)

    def save_global_symbol(self, obj: Global) -> None:
        self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        self.memoize(obj)

    def save_call(self, obj: Call) -> None:
        self.save(obj.function)
        self.save(obj.args)
        self.write(pickle.NEWOBJ if obj.new else pickle.REDUCE)
        self.memoize(obj)
        self._save_marked([part for item in obj.items for part in item], pickle.SETITEMS)
        self._save_marked(obj.appended, pickle.APPENDS)
        if obj.state is not None:
            self.save(obj.state)
            self.write(pickle.BUILD)

    def _save_marked(self, parts: list[Any], opcode: bytes) -> None:
        if parts:
            self.write(pickle.MARK)
            for part in parts:
                self.save(part)
            self.write(opcode)

    dispatch[Global] = save_global_symbol
    dispatch[Call] = save_call


PART_LIMIT = 500_000
"""Containers and calls that a graph may have, each counted once. A tensor takes 8; writing a graph
and comparing it takes some 60 microseconds for each."""
HEIGHT_LIMIT = 100
"""How deep containers may lie in each other."""
EXPANDED_LIMIT = 100_000
"""Values that a graph may have, each counted as often as it is referred to, beside four for each
opcode of its pickle; real ones share texts and numbers, and hardly any containers."""


def graph_of(structure: PickleStructure) -> Any:
    """The graph of a pickle that was followed to its end.

    Raises:
        pickle.UnpicklingError: it uses what no checkpoint uses, or contains itself.
    """
    if structure.problem:
        raise pickle.UnpicklingError(structure.problem)
    return _Grapher(EXPANDED_LIMIT + 4 * structure.opcodes).graph(structure.value)


_LEAVES = (str, bytes, int, float, bool, type(None), bytearray)


class _Grapher:
    """Makes each inert value into its symbol once, children first, without recursion."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.done: dict[int, tuple[Any, int, int]] = {}  # id -> symbol, height, expanded size

    def graph(self, root: Any) -> Any:
        pending = [(root, False)]
        open_: set[int] = set()
        while pending:
            node, visited = pending.pop()
            if isinstance(node, _LEAVES) or id(node) in self.done:
                continue
            if visited:
                open_.discard(id(node))
                self.finish(node)
            elif id(node) in open_:
                raise pickle.UnpicklingError("it contains itself")
            else:
                open_.add(id(node))
                pending.append((node, True))
                pending += [(part, False) for part in _parts(node)]
        return self.symbol(root)

    def symbol(self, node: Any) -> Any:
        return node if isinstance(node, _LEAVES) else self.done[id(node)][0]

    def finish(self, node: Any) -> None:
        height, size = 1, 1
        for part in _parts(node):
            _, below, within = self.done.get(id(part), (None, 0, 1))
            height, size = max(height, below + 1), size + within
        if height > HEIGHT_LIMIT:
            raise pickle.UnpicklingError(f"it is nested more than {HEIGHT_LIMIT} deep")
        if len(self.done) >= PART_LIMIT:
            raise pickle.UnpicklingError(f"it has more than {PART_LIMIT} containers and calls")
        if size > self.limit:
            raise pickle.UnpicklingError(f"it expands to more than {self.limit} values")
        try:
            self.done[id(node)] = (self.make(node), height, size)
        except TypeError as error:  # a key or a member of a set that cannot be one
            raise pickle.UnpicklingError(str(error)) from error

    def make(self, node: Any) -> Any:
        symbol = self.symbol
        match node:
            case Items():
                return _KINDS[node.kind](map(symbol, node.values))
            case Pairs():
                return {symbol(key): symbol(value) for key, value in node.values}
            case InertGlobal():
                return Global(node.module, node.name)
            case Stored():
                found = storage_of(node)
                if found is None:
                    raise pickle.UnpicklingError("persistent id")
                kind, location = symbol(node.key)[1], symbol(node.key)[3]
                return Storage(kind, found[1], location, found[2])
            case InertCall(InertGlobal(), Items("tuple"), "REDUCE" | "NEWOBJ" as opcode):
                return Call(
                    symbol(node.function),
                    symbol(node.arguments),
                    opcode == "NEWOBJ",
                    [(symbol(key), symbol(value)) for key, value in node.pairs],
                    [symbol(item) for item in node.items],
                    symbol(node.state),
                )
        raise pickle.UnpicklingError("it makes something in a way that torch.save does not")


_KINDS: dict[str, Callable[[Iterable[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


def _parts(node: Any) -> list[Any]:
    """What an inert value directly consists of."""
    match node:
        case Items():
            return node.values
        case Pairs():
            return [part for pair in node.values for part in pair]
        case InertCall():
            pairs = [part for pair in node.pairs for part in pair]
            return [node.function, node.arguments, node.state, *node.items, *pairs]
        case Stored():
            return [node.key]
    return []


def dumps(root: Any) -> bytes:
    """The pickle of a graph, in protocol 2 as `torch.save` writes it."""
    buffer = io.BytesIO()
    _SymbolicWriter(buffer, protocol=2).dump(root)
    return buffer.getvalue()


def walk(root: Any) -> Iterator[Any]:
    """Every node of a graph once, parents before children."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        stack.extend(children(node))


def children(node: Any) -> list[Any]:
    """What a node directly consists of."""
    if isinstance(node, dict):
        return [*node.keys(), *node.values()]
    if isinstance(node, (list, tuple, set, frozenset)):
        return list(node)
    if isinstance(node, Call):
        items = [part for item in node.items for part in item]
        return [node.function, *node.args, *items, *node.appended, node.state]
    return [node.kind] if isinstance(node, Storage) else []


def rebuild(root: Any, change: Callable[[Any], Any]) -> Any:
    """The graph with `change` applied to every node, children first; sharing is kept."""
    done: dict[int, Any] = {}

    def visit(node: Any) -> Any:
        if id(node) not in done:
            done[id(node)] = change(_with_children(node, visit))
        return done[id(node)]

    return visit(root)


def _with_children(node: Any, visit: Callable[[Any], Any]) -> Any:
    if isinstance(node, dict):
        return {visit(k): visit(v) for k, v in node.items()}
    if isinstance(node, (list, tuple, set, frozenset)):
        return type(node)(visit(part) for part in node)
    if isinstance(node, Call):
        items = [(visit(k), visit(v)) for k, v in node.items]
        appended = [visit(part) for part in node.appended]
        args = tuple(visit(part) for part in node.args)
        return Call(node.function, args, node.new, items, appended, visit(node.state))
    return node


def normal(root: Any, storage: Callable[[Storage], Any]) -> Any:
    """The graph as nested tuples that compare by value, `storage` standing in for memory."""
    if isinstance(root, dict):
        return ("dict", tuple((normal(k, storage), normal(v, storage)) for k, v in root.items()))
    if isinstance(root, (list, tuple)):
        return (type(root).__name__, tuple(normal(part, storage) for part in root))
    if isinstance(root, Call):
        return ("call", root.new, *(normal(part, storage) for part in children(root)))
    if isinstance(root, Storage):
        return ("storage", str(root.kind), root.location, root.count, storage(root))
    return (type(root).__name__, root.hex() if isinstance(root, float) else root)
