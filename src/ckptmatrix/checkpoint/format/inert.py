"""What a pickle describes, as values that do nothing.

A global stays a name, a call stays an unperformed `InertCall`. Values are compared and hashed by
identity, so that nested, shared and endless structures cost no more than they have parts.
"""

from dataclasses import dataclass, field
from typing import Any


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
    opcode: str = "REDUCE"
    """What asks for the call: `REDUCE` calls, `NEWOBJ` makes an object without initialising it."""
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
    truncated: bool = False
    """Whether the problem is that numbers are missing which it refers to."""
    calls: tuple[InertCall, ...] = ()
    """Every call that it asks for, in order, whether its result is kept or not."""
    stored: tuple[Stored, ...] = ()
    """Every reference to something beside it, in order."""
    changed: tuple[Any, ...] = ()
    """What it would give a state to (`BUILD`), though it is no new object."""
    end: int = 0
    """Where it ends, in bytes; what follows is none of it."""
    opcodes: int = 0
    """How many were followed."""


KEY_LIMIT = 100
"""Parts of a key of a dict, or of a member of a set. Tuples are hashed through and through each
time, those that are shared as often as they are referred to, and without a bound to the depth."""


def is_key(value: Any) -> bool:
    """Whether the real unpickler hashes a value in no time, without dying of its depth."""
    pending = [value]
    for _ in range(KEY_LIMIT):
        if not pending:
            return True
        part = pending.pop()
        if isinstance(part, InertCall):
            pending.append(part.arguments)
        elif isinstance(part, Items):
            if len(part.values) > KEY_LIMIT:
                return False
            pending += part.values
    return not pending


def pairs_of(value: Any) -> list[tuple[Any, Any]]:
    """Key and value of a dict, or of what would become one; nothing for anything else."""
    if isinstance(value, Pairs):
        return value.values
    return value.pairs if isinstance(value, InertCall) else []


def get(value: Any, key: str | int) -> Any:
    """Value under a key of a dict, the last one if it is set twice; None if there is none."""
    return next((member for name, member in reversed(pairs_of(value)) if _is(name, key)), None)


def _is(name: Any, key: str | int) -> bool:
    return type(name) is type(key) and name == key


def keys_of(value: Any) -> tuple[str, ...]:
    """The text keys of a dict, in order, each once."""
    return tuple(dict.fromkeys(key for key, _ in pairs_of(value) if isinstance(key, str)))


def members_of(value: Any) -> list[Any]:
    """The members of a list, tuple or set; empty for anything else."""
    return value.values if isinstance(value, Items) else []


def items_of(value: Any, kind: str) -> list[Any] | None:
    """The members of a sequence of this kind; None for anything else."""
    return value.values if isinstance(value, Items) and value.kind == kind else None
