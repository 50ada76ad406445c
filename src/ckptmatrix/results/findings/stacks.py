"""What stacks are made of, and which factor two of them differ in."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from ckptmatrix.model import EnvironmentRecord, Matrix


class Factor(StrEnum):
    """What a stack may differ in from another, the most telling first."""

    TORCH = "torch"
    NUMPY = "numpy"
    SAFETENSORS = "safetensors"
    PYTHON = "python"
    DEVICE = "device"

    def version_in(self, record: EnvironmentRecord) -> str:
        """Give its version without what decides nothing: `2.15.0` of `2.15.0+cpu`; "" if unknown.

        python is asked for as 3.11: which patch release answered decides nothing either.
        """
        found: str = getattr(record, self).partition("+")[0]
        return ".".join(found.split(".")[:2]) if self is Factor.PYTHON else found


StackVersions = Mapping[str, Mapping[Factor, str]]
"""Stack name -> factor -> version, as `Factor.version_in` gives it."""


def stack_versions(matrix: Matrix) -> StackVersions:
    """Read what each stack holds from its environments that could be built."""
    versions: dict[str, dict[Factor, str]] = {}
    for record in matrix.environments.values():
        found = versions.setdefault(record.stack, {})
        for factor in Factor:
            version = factor.version_in(record)
            if version:
                found.setdefault(factor, version)
    return versions


def differing(versions: StackVersions, one: str, other: str) -> tuple[Factor, ...]:
    """Name the factors in which two stacks differ."""
    first, second = versions.get(one, {}), versions.get(other, {})
    return tuple(factor for factor in Factor if first.get(factor) != second.get(factor))


def phrase(versions: StackVersions, stacks: Iterable[str], against: Iterable[str]) -> str:
    """Say what sets stacks apart from others: `torch 2.15.0`, or their names; "" if nothing."""
    inside, outside = tuple(stacks), tuple(against)
    if not outside:
        return ""
    for factor in Factor:
        here = {versions.get(name, {}).get(factor, "") for name in inside}
        there = {versions.get(name, {}).get(factor, "") for name in outside}
        if not here & there and "" not in here:
            return f"{factor} {' or '.join(sorted(here))}"
    return " or ".join(inside)
