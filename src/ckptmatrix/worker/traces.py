"""Training as it was recorded, step by step: what it must be like, where two first differ. Pure.

Standard library alone, Python 3.9: the host compares traces as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from ckptmatrix.worker.measured import FirstDifference, Step
from ckptmatrix.worker.words import Part

BROKE_DOWN = "raised"
"""The quantity that holds what a step of the training raised."""

_RATES = "lr"
_SAMPLES = "samples"
_DRAWN = Part.TORCH_RANDOM.value
_CLOSE = 1e-6
"""Relative; a schedule is a few operations, whose last bits alone differ between two torches."""

_STABLE = (Part.PYTHON_RANDOM, Part.NUMPY_RANDOM)
"""Draws of generators whose streams no release changes."""


class NothingComparedError(Exception):
    """A comparison that could not have told right from wrong."""


def compare_traces(expected: Sequence[Step], found: Sequence[Step]) -> FirstDifference | None:
    """The first step and quantity in which two traces differ; None if they are equal.

    A record of `BROKE_DOWN` alone stands for a step that the training did not survive.

    Raises:
        NothingComparedError: there is no step to compare.
    """
    if not expected:
        raise NothingComparedError("the training after the load has no steps")
    for step, (want, got) in enumerate(zip(expected, found), start=1):
        for quantity in [BROKE_DOWN] if BROKE_DOWN in got else {**want, **got}:
            if want.get(quantity) != got.get(quantity):
                values = readable(want.get(quantity)), readable(got.get(quantity))
                return FirstDifference(step, quantity, *values)
    if len(expected) != len(found):
        last = min(len(expected), len(found))
        return FirstDifference(last + 1, "steps", str(len(expected)), str(len(found)))
    return None


def earlier(one: FirstDifference | None, two: FirstDifference | None) -> FirstDifference | None:
    """The difference that comes at the earlier step; of two at the same step the first given."""
    both = [difference for difference in (one, two) if difference]
    return min(both, key=lambda difference: difference.step, default=None)


def standard(
    reference: Sequence[Step], writer: Sequence[Step], own_order: bool = False
) -> list[Step]:
    """What training after a load must be like in an environment.

    What the writer itself went on with is the standard; its numbers alone cannot be had in another
    environment, so they are those of the reference.

    Args:
        reference: the training that follows a perfect load in that environment.
        writer: the writer's own training after its save; empty where it is not known, or says
            nothing of this process.
        own_order: whether the writer's dataloader kept its order to itself, so that it does not
            hang on how often others drew from torch's generator.
    """
    if not writer:
        return list(reference)
    found: list[Step] = []
    apart = False
    for here, there in zip_longest(reference, writer):
        if there is None:
            break
        found.append(_must(here, there, apart))
        # Kernels of another torch draw more or less often: what is shuffled after that is its own.
        apart = apart or (not own_order and (here or there).get(_DRAWN) != there.get(_DRAWN))
    return found


def _must(here: Step | None, there: Step, apart: bool) -> Step:
    if here is None:  # the reference ended before the writer did
        return there
    own = {name: value for name, value in there.items() if name in here and tells(name, value)}
    if apart:
        own.pop(_SAMPLES, None)
    if _RATES in own and _near(own[_RATES], here[_RATES]):
        del own[_RATES]
    return {**here, **own}


def telling(trace: Sequence[Step]) -> list[Step]:
    """What of a writer's trace loads in other environments are judged by."""
    return [{name: step[name] for name in step if tells(name, step[name])} for step in trace]


def tells(name: str, value: Any) -> bool:
    """Whether a quantity must be the same in every environment.

    So are sample ids, gradient syncs, counts, names, and learning rates but for their last bits.
    What hangs on torch's arithmetic or on how often its kernels draw is not: any other float.
    """
    return name == _RATES or name in _STABLE or not _has_float(value)


def _has_float(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_float, value))
    if isinstance(value, dict):
        return any(map(_has_float, value.values()))
    return isinstance(value, float) or _is_hexadecimal(value)


def _near(one: Any, two: Any) -> bool:
    """Whether two lists of recorded learning rates are the same but for last bits."""
    if one == two:
        return True
    if not (isinstance(one, list) and isinstance(two, list) and len(one) == len(two)):
        return False
    if not all(map(_is_hexadecimal, [*one, *two])):
        return False
    pairs = zip(map(float.fromhex, one), map(float.fromhex, two))
    return all(math.isclose(here, there, rel_tol=_CLOSE) for here, there in pairs)


def _is_hexadecimal(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    bare = value.lstrip("-")
    return bare.startswith("0x") or bare in ("inf", "nan")


def readable(value: Any) -> str:
    """A recorded quantity for people: hexadecimal floats become decimal ones."""
    if isinstance(value, list):
        return "[" + ", ".join(readable(item) for item in value[:8]) + "]"
    if isinstance(value, str) and value.lstrip("-").startswith("0x"):
        return repr(float.fromhex(value))
    return str(value)
