"""The prediction for every range of accelerate x torch x numpy, equal neighbours merged."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from packaging.version import Version

from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.prediction import Prediction, predict
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp, candidates
from ckptmatrix.knowledge import releases
from ckptmatrix.knowledge.timeline import Span

TORCH_STARTS = releases.torch_borders(shards=True)
"""Where torch changes something that matters; the first stands for all before it too."""
NUMPY_STARTS = releases.numpy_borders()
"""Where numpy does."""


@dataclass(frozen=True)
class Prospect:
    """One box of versions in which the outcome is the same."""

    accelerate: Span
    """Releases of accelerate."""
    torch: Span
    """Versions of torch."""
    numpy: Span
    """Versions of numpy."""
    outcome: Prediction
    """What is predicted there; its wording names the oldest versions of the box."""
    fsdp: Fsdp | None = None
    """The FSDP that it is predicted of, where the files leave open which and it matters."""


def outlook(facts: Facts) -> tuple[Prospect, ...]:
    """Predict one environment for each range in which nothing changes, then merge equal ranges.

    Returns:
        Boxes that cover every version, newest accelerate first, then newest torch and numpy; for
        each FSDP that it can be, if they differ.
    """
    found = {fsdp: _boxes(facts, fsdp) for fsdp in candidates(facts) or (None,)}
    first, *others = found.values()
    if all(_same_boxes(first, other, "accelerate") for other in others):
        return tuple(replace(prospect, fsdp=None) for prospect in first)
    return tuple(prospect for boxes in found.values() for prospect in boxes)


def _boxes(facts: Facts, fsdp: Fsdp | None) -> list[Prospect]:
    grid: list[list[Prospect]] = []
    for span in _spans(tuple(map(str, releases.ACCELERATE.starts))):
        row = _merge_torch(
            [
                _merge_numpy(
                    [_one(facts, span, torch, numpy, fsdp) for numpy in _spans(NUMPY_STARTS)]
                )
                for torch in _spans(TORCH_STARTS)
            ]
        )
        if grid and _same_boxes(grid[-1], row):
            grid[-1] = [_joined(old, "accelerate", new) for old, new in _pairs(grid[-1], row)]
        else:
            grid.append(row)
    return [prospect for row in reversed(grid) for prospect in reversed(row)]


_Sample = tuple[Span, str]
"""A range of versions and the one that stands for it."""


def _spans(starts: tuple[str, ...]) -> list[_Sample]:
    borders = [None, *map(Version, starts[1:]), None]
    spans = (Span(first, end) for first, end in pairwise(borders))
    return list(zip(spans, starts, strict=True))


def _one(
    facts: Facts, accelerate: _Sample, torch: _Sample, numpy: _Sample, fsdp: Fsdp | None
) -> Prospect:
    outcome = predict(facts, accelerate[1], torch[1], numpy[1], fsdp)
    return Prospect(accelerate[0], torch[0], numpy[0], outcome, fsdp)


def _joined(
    old: Prospect, axis: Literal["accelerate", "torch", "numpy"], new: Prospect
) -> Prospect:
    spans = {"accelerate": old.accelerate, "torch": old.torch, "numpy": old.numpy}
    spans[axis] = Span(spans[axis].first, getattr(new, axis).end)
    return Prospect(**spans, outcome=old.outcome, fsdp=old.fsdp)


def _pairs(old: list[Prospect], new: list[Prospect]) -> list[tuple[Prospect, Prospect]]:
    return list(zip(old, new, strict=True))


def _merge_numpy(boxes: list[Prospect]) -> list[Prospect]:
    merged: list[Prospect] = []
    for box in boxes:
        if merged and merged[-1].outcome.alike(box.outcome):
            merged[-1] = _joined(merged[-1], "numpy", box)
        else:
            merged.append(box)
    return merged


def _merge_torch(groups: list[list[Prospect]]) -> list[Prospect]:
    """Merge ranges of torch whose ranges of numpy came out alike one by one."""
    merged: list[list[Prospect]] = []
    for group in groups:
        if (
            merged
            and len(merged[-1]) == len(group)
            and all(
                a.numpy == b.numpy and a.outcome.alike(b.outcome)
                for a, b in _pairs(merged[-1], group)
            )
        ):
            merged[-1] = [_joined(old, "torch", new) for old, new in _pairs(merged[-1], group)]
        else:
            merged.append(group)
    return [box for group in merged for box in group]


def _same_boxes(old: list[Prospect], new: list[Prospect], *further: str) -> bool:
    """Whether two lists tell the same of the same torch and numpy, and of what else is named."""
    axes = ("torch", "numpy", *further)
    return len(old) == len(new) and all(
        all(getattr(a, axis) == getattr(b, axis) for axis in axes) and a.outcome.alike(b.outcome)
        for a, b in _pairs(old, new)
    )
