"""Pickles as graphs of symbols: read, changed and written without importing anything they name.

A global becomes a `Global`, a call that the pickle asks for becomes a `Call`, a storage of a torch
archive a `Storage`. Nothing is ever imported or run, so neither torch nor numpy is needed and a
hostile file can do no more than be wrong.
"""

import io
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

_Reader: Any = pickle._Unpickler
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

    def append(self, value: Any) -> None:
        """Take a value, as the machine does for APPEND."""
        self.appended.append(value)

    def extend(self, values: list[Any]) -> None:
        """Take values, as the machine does for APPENDS."""
        self.appended.extend(values)


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


class _SymbolicReader(_Reader):  # type: ignore[misc]  # Any is its base
    """Pickle's machine, making symbols where it would import, call or build."""

    dispatch: ClassVar[dict[int, Any]] = dict(_Reader.dispatch)

    def find_class(self, module: str, name: str) -> Global:
        return Global(module, name)

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"extension code {code}")

    def persistent_load(self, pid: Any) -> Storage:
        tag, kind, key, location, count = pid
        if tag != "storage" or not isinstance(kind, Global):
            raise pickle.UnpicklingError(f"persistent id {tag!r}")
        return Storage(kind, str(key), str(location), int(count))

    def load_newobj(self) -> None:
        args = self.stack.pop()
        self.stack[-1] = Call(self.stack[-1], tuple(args), new=True)

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Call) or self.stack[-1].state is not None:
            raise pickle.UnpicklingError("BUILD on what is no new object")
        self.stack[-1].state = state

    dispatch[pickle.NEWOBJ[0]] = load_newobj
    dispatch[pickle.BUILD[0]] = load_build


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


def loads(data: bytes) -> Any:
    """The graph of a pickle.

    Raises:
        pickle.UnpicklingError: it is damaged, or uses what no checkpoint uses.
    """
    try:
        return _SymbolicReader(io.BytesIO(data), encoding="latin1").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error


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
