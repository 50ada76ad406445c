"""Change one place of a saved checkpoint, to see whether the judge notices exactly that.

The places are found by reading the files, whatever they are: each file, each key in it at every
depth, each value. Works on copies of checkpoints that this project's own writers saved.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ckptmatrix.worker.composites import is_composite, put_together, take_apart
from ckptmatrix.worker.layout import RANDOM_KEYS, key_in
from ckptmatrix.worker.neutral import Neutral
from ckptmatrix.worker.ownership import owners, sliced
from ckptmatrix.worker.protocol import Alteration
from ckptmatrix.worker.shards import SHARD, pieces
from ckptmatrix.worker.shards import store as store_pieces
from ckptmatrix.worker.stored import is_safetensors, read, read_weights
from ckptmatrix.worker.words import AlterationKind, Part

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Scenario

LONG = 32
"""A sequence of at least so many numbers is one value."""

Place = tuple[Any, ...]
"""Keys and indices into what a file holds; empty for the file itself."""

_DROP, _ZERO, _FLIP = AlterationKind.DROP, AlterationKind.ZERO, AlterationKind.FLIP
_SWAP, _OTHER_RUN = AlterationKind.SWAP, AlterationKind.OTHER_RUN


def alterations(scenario: Scenario, directory: str, other: str) -> list[Alteration]:
    """Every alteration of a checkpoint that changes what is in it.

    Args:
        scenario: whose checkpoint it is.
        directory: the checkpoint.
        other: a checkpoint of another run of the same scenario; empty if there is none.
    """
    found = []
    for file in files(directory):
        path, elsewhere = os.path.join(directory, file), os.path.join(other, file)
        size = os.path.getsize(path)
        tree, foreign = load(path), None
        if other and os.path.exists(elsewhere):
            foreign = load(elsewhere)
        constant = _same(tree, foreign)
        whole = owners(scenario, file, None)
        found += [Alteration(file, (), kind, whole, size, constant) for kind in (_DROP, _ZERO)]
        if not constant and foreign is not None:
            turned = _differing(scenario, file, tree, foreign)
            found.append(Alteration(file, (), _OTHER_RUN, turned, size, constant))
        if isinstance(tree, (dict, list)):
            found += _within(scenario, file, tree, foreign)
    return [replace(one, sliced=sliced(scenario, one.owners)) for one in found]


def apply(alteration: Alteration, directory: str, other: str) -> None:
    """Make the change in a checkpoint's files."""
    file, path, kind = os.path.join(directory, alteration.file), alteration.path, alteration.kind
    elsewhere = os.path.join(other, alteration.file)
    if path:
        store(_altered(load(file), path, kind, elsewhere), file)
    elif kind is _DROP:
        os.remove(file)
    elif kind is _ZERO:
        os.truncate(file, 0)
    else:
        shutil.copy(elsewhere, file)


def _altered(tree: Any, path: Place, kind: AlterationKind, elsewhere: str) -> Any:
    """What a file holds, with the place changed; `elsewhere` is the file of another run."""
    if kind is _DROP:
        return _dropped(tree, path)
    if kind is _OTHER_RUN:
        return _replaced(tree, path, _at(load(elsewhere), path))
    if kind is not _SWAP:
        return _replaced(tree, path, _changed_value(kind, path, _at(tree, path)))
    partner = _partner(path, _leaves(tree))
    if partner is None:
        raise ValueError("there is nothing to swap it with")
    return _replaced(_replaced(tree, path, _at(tree, partner)), partner, _at(tree, path))


def files(directory: str) -> list[str]:
    """Paths below a directory, sorted."""
    return sorted(
        os.path.relpath(os.path.join(folder, name), directory)
        for folder, _, names in os.walk(directory)
        for name in names
    )


def load(path: str) -> Any:
    """What a file holds; the bytes themselves where its format is not known here."""
    if path.endswith(".safetensors") and is_safetensors(path):
        return read_weights(path)
    if path.endswith(SHARD):
        return pieces(path)
    if path.endswith((".bin", ".pkl", ".pt", ".safetensors")):
        return read(path)
    with open(path, "rb") as file:
        content = file.read()
    return json.loads(content) if path.endswith(".json") else content


def store(tree: Any, path: str) -> None:
    """Write what `load` gave, in the same format."""
    if path.endswith(".safetensors") and is_safetensors(path):
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        save_file({name: tensor.contiguous() for name, tensor in tree.items()}, path, metadata)
    elif path.endswith(SHARD):
        store_pieces(tree, path)
    elif path.endswith(".json"):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(tree, file)
    else:
        torch.save(tree, path)


def _differing(scenario: Scenario, file: str, tree: Any, foreign: Any) -> tuple[str, ...]:
    """Components that a whole file of another run changes: those that do not happen to be alike."""
    if not isinstance(tree, dict) or not isinstance(foreign, dict):
        return owners(scenario, file, None)
    keys = [k for k in {**tree, **foreign} if not _same(_at(tree, (k,)), _at(foreign, (k,)))]
    return tuple(sorted({name for key in keys for name in owners(scenario, file, key)}))


def _within(scenario: Scenario, file: str, tree: Any, foreign: Any) -> Iterator[Alteration]:
    leaves = dict(_leaves(tree))
    for path, value in _nodes(tree):
        theirs = _at(foreign, path)
        constant = _same(value, theirs)
        mine = owners(scenario, file, key_in(file, path))
        size = _size(value)
        kinds = [_DROP] if type(_at(tree, path[:-1])) in (dict, list, tuple) else []
        if path in leaves:
            kinds += [k for k in (_ZERO, _FLIP) if not _same(_changed_value(k, path, value), value)]
        if theirs is not _NOWHERE and not constant:
            kinds.append(_OTHER_RUN)
        for kind in kinds:
            yield Alteration(file, path, kind, mine, size, constant)
        partner = _partner(path, leaves.items()) if path in leaves else None
        if partner:
            both = tuple(sorted({*mine, *owners(scenario, file, key_in(file, partner))}))
            yield Alteration(file, path, _SWAP, both, size, constant)


def _partner(path: Place, leaves: Iterable[tuple[Place, Any]]) -> Place | None:
    """The next value of the same shape that is not the same, in whose place this one would fit."""
    values = dict(leaves)
    later = list(values)[list(values).index(path) + 1 :]
    shape = _shape(values[path])
    for candidate in later:
        if _shape(values[candidate]) == shape and not _same(values[candidate], values[path]):
            return candidate
    return None


def _shape(value: Any) -> tuple[Any, ...]:
    sizes = tuple(value.shape) if hasattr(value, "shape") else (_is_long(value) and len(value),)
    return type(value), str(getattr(value, "dtype", "")), sizes


def _size(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return int(value.nelement() * value.element_size())  # torch 2.0 has no `nbytes`
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    return 8 * len(value) if _is_long(value) else 8


def _is_long(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) >= LONG
        and all(type(item) in (int, float) for item in value)
    )


def _items(tree: Any) -> list[tuple[Any, Any]]:
    """Keys and values of a container; of anything else nothing."""
    if isinstance(tree, dict):
        return list(tree.items())
    if is_composite(tree):
        return list(take_apart(tree).attributes.items())
    if isinstance(tree, (list, tuple)) and not _is_long(tree):
        return list(enumerate(tree))
    return []


def _nodes(tree: Any, path: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every path below the root, containers before what is in them."""
    for key, value in _items(tree):
        yield (*path, key), value
        yield from _nodes(value, (*path, key))


def _leaves(tree: Any) -> Iterator[tuple[Place, Any]]:
    for path, value in _nodes(tree):
        if not _items(value):
            yield path, value


_NOWHERE = object()


def _at(tree: Any, path: Place) -> Any:
    for key in path:
        try:
            tree = _child(tree, key)
        except (KeyError, IndexError, TypeError):
            return _NOWHERE
    return tree


def _child(tree: Any, key: Any) -> Any:
    return take_apart(tree).attributes[key] if is_composite(tree) else tree[key]


def _changed(tree: Any, path: Place, change: Callable[[Any, Any], Any]) -> Any:
    """A copy of `tree` in which `change(container, key)` stands for the container at the path."""
    if len(path) == 1:
        return change(tree, path[0])
    return _with(tree, path[0], _changed(_child(tree, path[0]), path[1:], change))


def _replaced(tree: Any, path: Place, value: Any) -> Any:
    return _changed(tree, path, lambda container, key: _with(container, key, value))


def _dropped(tree: Any, path: Place) -> Any:
    def without(container: Any, key: Any) -> Any:
        items = _editable(container)
        del items[key]
        return _as_it_was(container, items)

    return _changed(tree, path, without)


def _with(container: Any, key: Any, value: Any) -> Any:
    items = _editable(container)
    items[key] = value
    return _as_it_was(container, items)


def _editable(container: Any) -> Any:
    if is_composite(container):
        return take_apart(container).attributes
    return copy.copy(container) if isinstance(container, dict) else list(container)


def _as_it_was(container: Any, items: Any) -> Any:
    if is_composite(container):
        return put_together(take_apart(container)._replace(attributes=items))
    return items if isinstance(container, dict) else type(container)(items)


def _same(one: Any, two: Any) -> bool:
    try:
        return Neutral.of({"": one}).leaves("") == Neutral.of({"": two}).leaves("")
    except TypeError:  # an object of a class; what its pickle says is all there is to compare
        return pickle.dumps(one) == pickle.dumps(two)


def zeroed(value: Any) -> Any:
    """The value with nothing in it; itself where there is no such thing."""
    if isinstance(value, torch.Tensor):
        return torch.zeros_like(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value * 0
    if _is_long(value):
        return type(value)(zeroed(item) for item in value)
    plain = isinstance(value, (bool, int, float, str)) and not isinstance(value, Enum)
    return type(value)() if plain else value


def flipped(value: Any, byte: int | None = None) -> Any:
    """The value with one bit the other way; itself where there is no bit.

    Args:
        value: a tensor, an array or a plain value.
        byte: of a tensor, where; in its middle by default.
    """
    if isinstance(value, torch.Tensor) and value.numel():
        raw = value.detach().clone().contiguous()
        _flip(raw.reshape(-1).view(torch.uint8), byte)
        return raw
    if isinstance(value, (np.ndarray, np.generic)) and value.nbytes:
        raw = np.array(value)
        _flip(raw.reshape(-1).view(np.uint8))
        return raw if isinstance(value, np.ndarray) else raw[()]
    if _is_long(value):
        items = list(value)
        items[len(items) // 2] = flipped(items[len(items) // 2])
        return type(value)(items)
    if isinstance(value, Enum):
        return value
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, float):
        (bits,) = struct.unpack("<q", struct.pack("<d", value))
        return struct.unpack("<d", struct.pack("<q", bits ^ 1))[0]
    if isinstance(value, str) and value:
        return chr(ord(value[0]) ^ 1) + value[1:]
    return value


def _flip(raw: Any, byte: int | None = None) -> None:
    raw[len(raw) // 2 if byte is None else byte] ^= 1


_CUDA_SEED = -16
"""Where the seed of a CUDA generator begins in its state, from the end: 8 bytes, then 8 of offset.

Before them torch 2.0 and older has 800 that mean nothing (CUDAGeneratorImpl::get_state).
"""


def _changed_value(kind: AlterationKind, path: Place, value: Any) -> Any:
    """A value as an alteration leaves it, `zero` or `flip`."""
    if kind is _ZERO:
        return zeroed(value)
    # torch takes no offset that is not a multiple of four.
    of_cuda = path[0] == RANDOM_KEYS[Part.CUDA_RANDOM]
    return flipped(value, _CUDA_SEED if of_cuda else None)
