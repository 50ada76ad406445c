"""Verdicts: every component leaf by leaf, and the training that followed step by step. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ckptmatrix.worker.neutral import Leaves, show
from ckptmatrix.worker.protocol import Difference, FirstDifference, Step
from ckptmatrix.worker.words import Verdict

BROKE_DOWN = "raised"
"""The quantity that holds what a step of the training raised."""


class NothingComparedError(Exception):
    """A comparison that could not have told right from wrong."""


def judge(
    expected: dict[str, Leaves],
    before: dict[str, Leaves],
    found: dict[str, Leaves],
    unsaved: Mapping[str, Collection[str]],
) -> tuple[dict[str, Verdict], dict[str, Difference]]:
    """Verdict and first difference of each component.

    Args:
        expected: component -> leaves as they must be after the load.
        before: the same before the load; it must differ from `expected` somewhere in each
            component, or a load that did nothing would pass.
        found: the same after the load.
        unsaved: component -> paths that the writer did not put into the checkpoint.

    Raises:
        NothingComparedError: a component is the same before the load as after a perfect one.
    """
    verdicts: dict[str, Verdict] = {}
    differences: dict[str, Difference] = {}
    for name, wanted in expected.items():
        if not wanted or before.get(name) == wanted:
            raise NothingComparedError(f"{name} is the same before the load as after a perfect one")
        got = found.get(name, {})
        paths = [path for path in {**wanted, **got} if wanted.get(path) != got.get(path)]
        verdicts[name] = _verdict(paths, got == before.get(name), unsaved.get(name, ()))
        if paths:
            first = paths[0]
            differences[name] = Difference(
                where=first.lstrip("/"),
                saved=show(wanted.get(first)),
                found=show(got.get(first)),
                differing=len(paths),
                compared=len(wanted),
            )
    return verdicts, differences


def _verdict(paths: list[str], untouched: bool, unsaved: Collection[str]) -> Verdict:
    if not paths:
        return Verdict.RESTORED
    if set(paths) <= set(unsaved):
        return Verdict.UNSAVED
    return Verdict.LOST if untouched else Verdict.WRONG


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


def readable(value: Any) -> str:
    """A recorded quantity for people: hexadecimal floats become decimal ones."""
    if isinstance(value, list):
        return "[" + ", ".join(readable(item) for item in value[:8]) + "]"
    if isinstance(value, str) and value.lstrip("-").startswith("0x"):
        return repr(float.fromhex(value))
    return str(value)
