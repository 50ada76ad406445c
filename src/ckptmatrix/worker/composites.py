"""Tensors made of other tensors, such as torchao's 8-bit states: taken apart and put together.

torch calls such a class a traceable wrapper subclass; it has `__tensor_flatten__`. Its own bytes
are nowhere. What `torch.save` keeps of it is its class, its form and its attributes
(torch/_tensor.py, `_rebuild_wrapper_subclass`), of which some are tensors; so does this.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import torch


class Apart(NamedTuple):
    """What a composite tensor is made of."""

    kind: str
    """Its class, `module:name`."""
    dtype: torch.dtype
    """Of the numbers that it appears to hold."""
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    attributes: dict[str, Any]
    """Name -> tensor, which may be a composite again, or a plain value."""


def is_composite(value: Any) -> bool:
    """Whether a value is a tensor that is made of others."""
    return isinstance(value, torch.Tensor) and hasattr(value, "__tensor_flatten__")


def take_apart(tensor: Any) -> Apart:
    """The parts of a composite tensor; they share its memory."""
    kind, form = type(tensor), (tensor.dtype, tuple(tensor.shape), tuple(tensor.stride()))
    return Apart(f"{kind.__module__}:{kind.__qualname__}", *form, dict(vars(tensor)))


def put_together(apart: Apart) -> Any:
    """The tensor again, on the CPU.

    Raises:
        TypeError: its class is none of a composite tensor.
    """
    module, _, name = apart.kind.partition(":")
    kind: Any = getattr(importlib.import_module(module), name, None)
    if not hasattr(kind, "__tensor_flatten__"):
        raise TypeError(f"{apart.kind} is no class of tensors that are made of others")
    _, dtype, shape, stride, attributes = apart
    make: Any = torch.Tensor._make_wrapper_subclass
    made = make(kind, shape, strides=stride, dtype=dtype, device=torch.device("cpu"))
    vars(made).update(attributes)
    return made
