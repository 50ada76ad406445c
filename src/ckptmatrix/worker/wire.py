"""Frozen dataclasses as one line of JSON, and back with every field checked.

An object says what it is by the name of its class, `{"is": "Load", ...}`, so a field may be one of
several classes. Every field is there, also those with a default, and no other. Both ends use this
file: standard library alone, Python 3.9.
"""

import json
import types
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

_IS = "is"
_SHOWN = 60
_UNIONS = (Union, getattr(types, "UnionType", Union))
"""`Union[X, Y]`, and `X | Y` of Python 3.10: equal, so `typing` may give one for the other."""


class WireError(ValueError):
    """A line is not what was agreed on; the message names the field."""


def encode(value: object) -> str:
    """Return the line, without its end.

    Args:
        value: dataclasses, enums of strings, tuples, dicts and what else JSON has.

    Raises:
        WireError: something in it has no place on the wire.
    """
    return json.dumps(value, default=_members)


def _members(value: object) -> "dict[str, object]":
    if isinstance(value, type) or not is_dataclass(value):
        raise WireError(f"a {_name(type(value))} cannot be sent")
    return {
        _IS: type(value).__name__,
        **{field.name: getattr(value, field.name) for field in fields(value)},
    }


def decode(kind: Any, name: str, line: str) -> Any:
    """Return the value of a line.

    Args:
        kind: what it must be: a dataclass, such a class with its parameter filled in, or a union
            of them. Fields may hold further ones, enums of strings, `tuple[X, ...]`,
            `dict[str, X]`, optional values, plain ones and `Any`.
        name: what it is called where it is refused.
        line: what `encode` gave.

    Raises:
        WireError: it is something else.
    """
    try:
        plain = json.loads(line)
    except ValueError as error:
        raise WireError(f"{name} is no JSON ({error}): {line[:_SHOWN]!r}") from None
    return _value(kind, plain, name)


def _value(kind: Any, plain: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return plain
    if origin in _UNIONS:
        return _one_of(arguments, plain, where)
    if origin is tuple and arguments[1:] == (...,):
        _check(isinstance(plain, list), kind, plain, where)
        return tuple(_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(plain))
    if origin is dict and arguments[0] is str:
        _check(isinstance(plain, dict), kind, plain, where)
        return {key: _value(arguments[1], item, f"{where}[{key!r}]") for key, item in plain.items()}
    if is_dataclass(origin or kind):
        return _object(kind, plain, where)
    if isinstance(kind, type) and issubclass(kind, Enum):
        words = [str(member.value) for member in kind]
        if plain not in words:
            raise WireError(f"{where} is {_shown(plain)}, not one of {', '.join(words)}")
        return kind(plain)
    if kind is float and type(plain) is int:
        return float(plain)
    if kind in (str, int, float, bool):
        _check(type(plain) is kind, kind, plain, where)
        return plain
    raise TypeError(f"{where}: there is no reading a {kind}")


def _one_of(kinds: "tuple[Any, ...]", plain: Any, where: str) -> Any:
    for kind in kinds:
        if kind is type(None):
            suits = plain is None
        elif is_dataclass(get_origin(kind) or kind):
            suits = isinstance(plain, dict) and plain.get(_IS) == _name(kind)
        elif kind in (str, int, float, bool):
            suits = type(plain) is kind
        else:
            suits = plain is not None
        if suits:
            return None if plain is None else _value(kind, plain, where)
    raise WireError(f"{where} is {_shown(plain)}, not one of {', '.join(map(_name, kinds))}")


def _object(kind: Any, plain: Any, where: str) -> Any:
    known = _fields_of(kind)
    _check(isinstance(plain, dict) and plain.get(_IS) == _name(kind), kind, plain, where)
    strange = sorted(plain.keys() - known.keys() - {_IS})
    if strange:
        raise WireError(f"{where} has no field {strange[0]!r}; it has {', '.join(known)}")
    missing = [name for name in known if name not in plain]
    if missing:
        raise WireError(f"{where}.{missing[0]} is missing")
    found = {name: _value(one, plain[name], f"{where}.{name}") for name, one in known.items()}
    return (get_origin(kind) or kind)(**found)


@cache
def _fields_of(kind: Any) -> "dict[str, Any]":
    """Name -> type, the parameter of a generic class filled in."""
    plain = get_origin(kind) or kind
    filled = dict(zip(getattr(plain, "__parameters__", ()), get_args(kind)))
    hints = get_type_hints(plain)
    return {field.name: filled.get(hints[field.name], hints[field.name]) for field in fields(plain)}


def _check(holds: bool, kind: Any, plain: Any, where: str) -> None:
    if not holds:
        raise WireError(f"{where} is {_shown(plain)}, not {_name(kind)}")


def _shown(plain: Any) -> str:
    """A value in a few words, an object by its name."""
    return str(plain[_IS]) if isinstance(plain, dict) and _IS in plain else repr(plain)[:_SHOWN]


def _name(kind: Any) -> str:
    if kind is type(None):
        return "None"
    kind = get_origin(kind) if is_dataclass(get_origin(kind)) else kind
    return str(getattr(kind, "__name__", kind)) if get_origin(kind) is None else str(kind)
