"""Verdicts: every component leaf by leaf, and the training that followed step by step. Pure."""

from __future__ import annotations

from typing import Any

from ckptmatrix.worker.neutral import show


class NothingComparedError(Exception):
    """A comparison that could not have told right from wrong."""


def judge(
    expected: dict[str, dict[str, tuple]],
    before: dict[str, dict[str, tuple]],
    found: dict[str, dict[str, tuple]],
    unsaved: dict[str, list[str]],
) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
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
    verdicts: dict[str, str] = {}
    differences: dict[str, dict[str, Any]] = {}
    for name, wanted in expected.items():
        if not wanted or before.get(name) == wanted:
            raise NothingComparedError(f"{name} is the same before the load as after a perfect one")
        got = found.get(name, {})
        paths = [path for path in {**wanted, **got} if wanted.get(path) != got.get(path)]
        verdicts[name] = _verdict(paths, got == before.get(name), unsaved.get(name, ()))
        if paths:
            first = paths[0]
            differences[name] = {
                "where": first.lstrip("/"),
                "saved": show(wanted.get(first)),
                "found": show(got.get(first)),
                "differing": len(paths),
                "compared": len(wanted),
            }
    return verdicts, differences


def _verdict(paths: list[str], untouched: bool, unsaved: Any) -> str:
    if not paths:
        return "restored"
    if set(paths) <= set(unsaved):
        return "unsaved"
    return "lost" if untouched else "wrong"


def compare_traces(
    expected: list[dict[str, Any]], found: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """The first step and quantity in which two traces differ; None if they are equal.

    A record `{"raised": message}` stands for a step that the training did not survive.

    Raises:
        NothingComparedError: there is no step to compare.
    """
    if not expected:
        raise NothingComparedError("the training after the load has no steps")
    for step, (want, got) in enumerate(zip(expected, found), start=1):
        for quantity in ["raised"] if "raised" in got else {**want, **got}:
            if want.get(quantity) != got.get(quantity):
                return {
                    "step": step,
                    "quantity": quantity,
                    "expected": readable(want.get(quantity)),
                    "found": readable(got.get(quantity)),
                }
    if len(expected) != len(found):
        return {
            "step": min(len(expected), len(found)) + 1,
            "quantity": "steps",
            "expected": str(len(expected)),
            "found": str(len(found)),
        }
    return None


def readable(value: Any) -> str:
    """A recorded quantity for people: hexadecimal floats become decimal ones."""
    if isinstance(value, list):
        return "[" + ", ".join(readable(item) for item in value[:8]) + "]"
    if isinstance(value, str) and value.lstrip("-").startswith("0x"):
        return repr(float.fromhex(value))
    return str(value)
