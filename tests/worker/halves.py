"""A tensor made of two others, in the way that torch asks for. It runs inside an environment."""

from __future__ import annotations

from typing import Any

import torch


class Halves(torch.Tensor):
    """Codes and their scale, which appear as floating point numbers."""

    @staticmethod
    def __new__(cls, codes: Any, scale: Any, appears: Any) -> Any:
        return torch.Tensor._make_wrapper_subclass(cls, codes.shape, dtype=appears)

    def __init__(self, codes: Any, scale: Any, appears: Any) -> None:
        self.codes, self.scale, self.appears = codes, scale, appears

    def __tensor_flatten__(self) -> tuple[list[str], Any]:
        return ["codes", "scale"], [self.appears]

    @classmethod
    def __tensor_unflatten__(cls, parts: Any, context: Any, shape: Any, stride: Any) -> Any:
        return cls(parts["codes"], parts["scale"], *context)

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, arguments: Any = (), named: Any = None
    ) -> Any:
        if function is torch.ops.aten.detach.default:
            made: Any = arguments[0]
            return cls(made.codes, made.scale, made.appears)
        raise NotImplementedError(f"{function} of a tensor that has no bytes of its own")
