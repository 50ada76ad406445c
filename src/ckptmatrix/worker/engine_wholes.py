"""Model and optimizer of a DeepSpeed engine as what all processes hold together, by names.

So they can be compared where another number of processes loads: no slice is what a slice was, and
the whole is. Up to ZeRO-2. All processes ask together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ckptmatrix.worker.components import components_with
from ckptmatrix.worker.partitions import (
    EngineCounts,
    ZeroModel,
    ZeroOptimizer,
    base,
    flats,
    held,
    masters,
)

if TYPE_CHECKING:
    from ckptmatrix.worker.training import Training

Slots = dict[str, dict[int, torch.Tensor]]
"""Name of a value -> group of parameters -> this process's flat slice of it."""

_MASTERS = "fp32"


class WholeZeroModel(ZeroModel):
    """Parameters and buffers, which each process has whole, and the master weights, joined."""

    of_each = False
    sliced = False

    def capture(self, training: Training) -> Any:
        return {
            str(index): {
                "weights": held(engine),
                "masters": _joined(engine, {_MASTERS: dict(enumerate(masters(engine)))})[_MASTERS],
            }
            for index, engine in enumerate(training.models)
        }

    def inject(self, training: Training, value: Any) -> None:
        for index, engine in enumerate(training.models):
            mine = value[str(index)]
            with torch.no_grad():
                for name, tensor in held(engine).items():
                    tensor.copy_(mine["weights"][name])
                _spread(engine, mine["masters"], dict(enumerate(masters(engine))))


class WholeZeroOptimizer(ZeroOptimizer):
    """What the optimizer keeps, by names of parameters, and the groups' numbers."""

    of_each = False
    sliced = False

    def capture(self, training: Training) -> Any:
        return {str(index): _kept(engine) for index, engine in enumerate(training.models)}

    def inject(self, training: Training, value: Any) -> None:
        for index, engine in enumerate(training.models):
            mine = value[str(index)]
            state: dict[int, dict[str, Any]] = {
                group: dict(numbers) for group, numbers in mine["numbers"].items()
            }
            for slot, whole in mine["state"].items():
                slices = {group: torch.zeros_like(flat) for group, flat in enumerate(flats(engine))}
                _spread(engine, whole, slices)
                for group, flat in slices.items():
                    state.setdefault(group, {})[slot] = flat
            with base(engine) as optimizer:
                groups = [
                    {**own, **numbers}
                    for own, numbers in zip(optimizer.state_dict()["param_groups"], mine["groups"])
                ]
                optimizer.load_state_dict({"state": state, "param_groups": groups})


def _kept(engine: Any) -> dict[str, Any]:
    """State, joined; what is no slice, by group; the groups' numbers."""
    with base(engine) as optimizer:
        states = optimizer.state_dict()
    slices: Slots = defaultdict(dict)
    numbers: dict[int, dict[str, Any]] = defaultdict(dict)
    for group, flat in enumerate(flats(engine)):
        for slot, value in states["state"].get(group, {}).items():
            if getattr(value, "shape", None) == flat.shape:
                slices[slot][group] = value
            else:
                numbers[group][slot] = value
    return {
        "state": _joined(engine, slices),
        "numbers": dict(numbers),
        "groups": [
            {name: value for name, value in group.items() if name != "params"}
            for group in states["param_groups"]
        ],
    }


class _Piece(NamedTuple):
    """Which part of a parameter this process holds, and where."""

    name: str
    begin: int  # in the parameter, flat
    group: int
    place: int  # in the group's flat slice
    size: int


def _pieces(engine: Any) -> Iterator[_Piece]:
    """What DeepSpeed itself keeps of it, beside each parameter."""
    names = {id(parameter): name for name, parameter in engine.module.named_parameters()}
    for group, parameters in enumerate(engine.optimizer.bit16_groups):
        for parameter in parameters:
            if parameter._hp_mapping is not None:
                whole = parameter._hp_mapping.lp_fragment_address
                flat = parameter._hp_mapping.hp_fragment_address
                yield _Piece(names[id(parameter)], whole.start, group, flat.start, flat.numel)


def _joined(engine: Any, slots: Slots) -> dict[str, dict[str, torch.Tensor]]:
    """Name of a value -> parameter -> the whole of it, from the slices of all processes."""
    mine = [
        (slot, piece.name, piece.begin, _cut(slices[piece.group], piece).cpu().clone())
        for slot, slices in slots.items()
        for piece in _pieces(engine)
    ]
    everyones: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyones, mine)
    shapes = {name: parameter.shape for name, parameter in engine.module.named_parameters()}
    found: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
    for slot, name, begin, part in chain.from_iterable(everyones):
        whole = found[slot].setdefault(name, torch.zeros(shapes[name], dtype=part.dtype))
        whole.view(-1)[begin : begin + part.numel()] = part
    return dict(found)


def _spread(engine: Any, whole: dict[str, torch.Tensor], slices: dict[int, torch.Tensor]) -> None:
    """Put this process's pieces of the whole into its slices of each group."""
    for piece in _pieces(engine):
        part = whole[piece.name].reshape(-1)[piece.begin : piece.begin + piece.size]
        _cut(slices[piece.group], piece).copy_(part)


def _cut(flat: torch.Tensor, piece: _Piece) -> torch.Tensor:
    return flat.detach().narrow(0, piece.place, piece.size)


WHOLES = (WholeZeroModel(), WholeZeroOptimizer())
"""What all hold together of each in `partitions.PARTITIONED`."""

WHOLE_ENGINE_COMPONENTS = (*components_with(*WHOLES), EngineCounts())
"""What is verified on its own where another number of processes loads."""
