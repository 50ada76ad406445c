"""Training state in a neutral form: JSON for the structure, raw bytes for every number array.

What is kept is what is compared: dtype, shape and bytes, so equality is equality of bits
(NaN equals the same NaN, -0.0 differs from 0.0). Nothing here is pickled. What has no neutral form
is refused with `TypeError`, since what cannot be captured cannot be compared either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from ckptmatrix.worker.composites import Apart, is_composite, put_together, take_apart

ABSENT = {"~": "absent"}
"""Neutral form of a component that the scenario or the release does not have."""

Leaf = tuple[Any, ...]
"""One value, flattened so that equality is equality of bits: its kind, and what it holds."""

Leaves = dict[str, Leaf]
"""Path in a component -> what is there."""

_PACKED = 32
"""Sequences of at least so many ints are kept as one int64 array instead of a node for each."""


class Neutral:
    """Components by name, as JSON-able trees whose arrays lie apart.

    Attributes:
        trees: component name -> tree; a dict with key `~` is a tagged node.
        arrays: key named in a tree -> the array's raw bytes, uint8, one dimension.
    """

    def __init__(
        self, trees: dict[str, Any] | None = None, arrays: dict[str, Any] | None = None
    ) -> None:
        self.trees = trees or {}
        self.arrays = arrays or {}

    @classmethod
    def of(cls, components: dict[str, Any]) -> Neutral:
        """Encode live values; tensors are copied, so later training does not reach them."""
        neutral = cls()
        neutral.trees = {name: neutral._encode(value) for name, value in components.items()}
        return neutral

    def value(self, name: str) -> Any:
        """The component as live values again: CPU tensors, numpy arrays, Python objects."""
        return self._decode(self.trees[name])

    def leaves(self, name: str) -> Leaves:
        """The component flattened: path such as `0/state/1/exp_avg` -> comparable leaf."""
        found: Leaves = {}
        self._flatten(self.trees[name], "", found)
        return found

    def all_leaves(self) -> dict[str, Leaves]:
        """Every component that is not absent, flattened."""
        return {name: self.leaves(name) for name in self.trees if self.trees[name] != ABSENT}

    def save(self, stem: str) -> None:
        """Write `stem.json` and `stem.safetensors`."""
        with open(stem + ".json", "w", encoding="utf-8") as file:
            json.dump(self.trees, file)
        save_file(self.arrays or {"empty": np.zeros(0, np.uint8)}, stem + ".safetensors")

    def without(self, names: Iterable[str]) -> Neutral:
        """The same, these components absent."""
        return Neutral({**self.trees, **dict.fromkeys(names, ABSENT)}, self.arrays)

    @classmethod
    def load(cls, stem: str) -> Neutral:
        """Read what `save` wrote."""
        with open(stem + ".json", encoding="utf-8") as file:
            trees = json.load(file)
        return cls(trees, load_file(os.fspath(stem) + ".safetensors"))

    def _keep(self, array: np.ndarray) -> str:
        key = f"a{len(self.arrays)}"
        self.arrays[key] = np.frombuffer(array.tobytes(), np.uint8)
        return key

    def _encode(self, value: Any) -> Any:
        if value is ABSENT or value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, np.generic):
            array = np.asarray(value)
            return {"~": "scalar", "dtype": array.dtype.str, "key": self._keep(array)}
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return {"~": "float", "hex": value.hex()}
        if is_composite(value):
            return {"~": "composite", **self._encode_apart(take_apart(value))}
        if isinstance(value, torch.Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1)
            raw = flat.view(torch.uint8) if flat.numel() else torch.empty(0, dtype=torch.uint8)
            dtype = str(value.dtype).replace("torch.", "")
            shape = list(value.shape)
            return {"~": "tensor", "dtype": dtype, "shape": shape, "key": self._keep(raw.numpy())}
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            shape = list(value.shape)
            dtype = value.dtype.str
            return {"~": "array", "dtype": dtype, "shape": shape, "key": self._keep(value)}
        if isinstance(value, dict):
            return {
                "~": "dict",
                "items": [[self._encode(k), self._encode(v)] for k, v in value.items()],
            }
        if isinstance(value, (list, tuple)):
            return self._encode_sequence(value)
        if isinstance(value, (bytes, bytearray)):
            return {"~": "bytes", "hex": bytes(value).hex()}
        if isinstance(value, (torch.dtype, torch.device)):
            return {"~": "named", "name": str(value)}
        if callable(value) and hasattr(value, "__qualname__"):
            return {"~": "named", "name": f"{value.__module__}.{value.__qualname__}"}
        raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no neutral form")

    def _encode_apart(self, apart: Apart) -> dict[str, Any]:
        form = {"dtype": str(apart.dtype).replace("torch.", ""), "shape": list(apart.shape)}
        parts = {"stride": list(apart.stride), "attributes": self._encode(apart.attributes)}
        return {"class": apart.kind, **form, **parts}

    def _encode_sequence(self, value: Any) -> Any:
        kind = "tuple" if isinstance(value, tuple) else "list"
        if len(value) >= _PACKED and all(type(item) is int and abs(item) < 2**63 for item in value):
            return {"~": "ints", "as": kind, "key": self._keep(np.array(value, np.int64))}
        items = [self._encode(item) for item in value]
        return items if kind == "list" else {"~": "tuple", "items": items}

    def _decode(self, tree: Any) -> Any:
        if isinstance(tree, list):
            return [self._decode(item) for item in tree]
        if not isinstance(tree, dict):
            return tree
        tag = tree["~"]
        if tag == "dict":
            return {self._decode(k): self._decode(v) for k, v in tree["items"]}
        if tag == "tuple":
            return tuple(self._decode(item) for item in tree["items"])
        if tag == "float":
            return float.fromhex(tree["hex"])
        if tag == "bytes":
            return bytes.fromhex(tree["hex"])
        if tag == "ints":
            items = self.arrays[tree["key"]].view(np.int64).tolist()
            return tuple(items) if tree["as"] == "tuple" else items
        if tag == "tensor":
            raw = torch.from_numpy(self.arrays[tree["key"]].copy())
            dtype = getattr(torch, tree["dtype"])
            if not raw.numel():
                return torch.empty(tree["shape"], dtype=dtype)
            return raw.view(dtype).reshape(tree["shape"])
        if tag == "array":
            raw = self.arrays[tree["key"]].copy()
            return raw.view(np.dtype(tree["dtype"])).reshape(tree["shape"])
        if tag == "scalar":
            return self.arrays[tree["key"]].copy().view(np.dtype(tree["dtype"]))[0]
        if tag == "composite":
            form = getattr(torch, tree["dtype"]), tuple(tree["shape"]), tuple(tree["stride"])
            return put_together(Apart(tree["class"], *form, self._decode(tree["attributes"])))
        if tag == "named" and isinstance(_dtype(tree["name"]), torch.dtype):
            return _dtype(tree["name"])
        raise TypeError(f"a {tag} cannot be made live again")

    def _flatten(self, tree: Any, path: str, found: Leaves) -> None:
        if isinstance(tree, list) or (isinstance(tree, dict) and tree.get("~") == "tuple"):
            items = tree if isinstance(tree, list) else tree["items"]
            found[path + "/#"] = ("list" if isinstance(tree, list) else "tuple", len(items))
            for index, item in enumerate(items):
                self._flatten(item, f"{path}/{index}", found)
        elif isinstance(tree, dict) and tree["~"] == "dict":
            for key, item in tree["items"]:
                self._flatten(item, f"{path}/{key if isinstance(key, str) else show(key)}", found)
        elif isinstance(tree, dict) and tree["~"] == "composite":
            found[path] = ("composite", tree["class"], tree["dtype"], tuple(tree["shape"]))
            self._flatten(tree["attributes"], path, found)
        elif isinstance(tree, dict) and "key" in tree:
            shape = tuple(tree.get("shape", ()))
            dtype = tree.get("dtype", "<i8")
            found[path] = (tree["~"], dtype, shape, self.arrays[tree["key"]].tobytes())
        elif isinstance(tree, dict):
            found[path] = (tree["~"], *(tree[key] for key in sorted(tree) if key != "~"))
        else:
            found[path] = (type(tree).__name__, tree)


def _dtype(name: str) -> Any:
    """The element type of a name such as `torch.float32`; None if it names something else."""
    found = getattr(torch, name.rpartition(".")[2], None)
    return found if str(found) == name else None


def show(leaf: Any, limit: int = 60) -> str:
    """A leaf, or a plain value, in a few words: `float32[4, 3] 0.12 -0.5 ...`."""
    if leaf is None:
        return "nothing"
    if not isinstance(leaf, tuple):
        return str(leaf)[:limit]
    kind = leaf[0]
    if kind in ("tensor", "array", "scalar", "ints"):
        _, dtype, shape, raw = leaf
        name = {"bool": "bool", "bfloat16": None}.get(dtype, dtype)
        try:
            values = np.frombuffer(raw, np.dtype(name)) if name else np.frombuffer(raw, "<u2")
            first = " ".join(f"{value:.6g}" for value in values[:4].tolist())
        except (TypeError, ValueError):
            first = raw[:8].hex()
        return f"{dtype}{list(shape)} {first}{' ...' if len(raw) > 32 else ''}"[:limit]
    if kind == "float":
        return repr(float.fromhex(leaf[1]))
    return " ".join(str(part) for part in leaf[1:])[:limit] or kind
