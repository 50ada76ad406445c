"""Verdicts: every component leaf by leaf. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ckptmatrix.worker.measured import Difference
from ckptmatrix.worker.neutral import Leaves, show
from ckptmatrix.worker.words import Verdict

_SEQUENCES = ("list", "tuple")


def judge(
    expected: dict[str, Leaves],
    before: dict[str, Leaves],
    found: dict[str, Leaves],
    unsaved: Mapping[str, Collection[str]],
) -> tuple[dict[str, Verdict], dict[str, Difference]]:
    """Verdict and first difference of each component.

    Args:
        expected: component -> leaves as they must be after the load.
        before: the same before the load; where it is as expected already, a load that did nothing
            would pass as well.
        found: the same after the load.
        unsaved: component -> paths that the writer did not put into the checkpoint.
    """
    verdicts: dict[str, Verdict] = {}
    differences: dict[str, Difference] = {}
    for name, leaves in expected.items():
        wanted = _values(leaves)
        was, got = _values(before.get(name, {})), _values(found.get(name, {}))
        paths = [path for path in {**wanted, **got} if wanted.get(path) != got.get(path)]
        verdicts[name] = _verdict(paths, got == was, unsaved.get(name, ()))
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
        return Verdict.NOT_TOLD_APART if untouched else Verdict.RESTORED
    if set(paths) <= set(unsaved):
        return Verdict.UNSAVED
    return Verdict.LOST if untouched else Verdict.WRONG


def _values(leaves: Leaves) -> Leaves:
    """The leaves as they are compared: a list and a tuple of equal values are one.

    No value differs between them; what else it does, the training that follows shows.
    """
    return {
        path: ("sequence", *leaf[1:]) if leaf[0] in _SEQUENCES else leaf
        for path, leaf in leaves.items()
    }
