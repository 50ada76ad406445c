"""What stacks are made of, and which factor two of them differ in."""

from collections.abc import Iterable, Mapping

from ckptmatrix.model import Matrix

FACTORS = ("torch", "numpy", "safetensors", "python")
"""What a stack may differ in, the most telling first."""

Facts = Mapping[str, Mapping[str, str]]
"""Stack name -> factor -> version, without the local part (`2.13.0`, not `2.13.0+cpu`)."""


def facts_of(matrix: Matrix) -> Facts:
    """Read what each stack holds from its environments that could be built."""
    facts: dict[str, dict[str, str]] = {}
    for record in matrix.environments.values():
        found = facts.setdefault(record.stack, {})
        for factor in FACTORS:
            version = getattr(record, factor).partition("+")[0]
            # python is asked for as 3.11: which patch release answered decides nothing here.
            if factor == "python":
                version = ".".join(version.split(".")[:2])
            if version:
                found.setdefault(factor, version)
    return facts


def differing(facts: Facts, one: str, other: str) -> tuple[str, ...]:
    """Name the factors in which two stacks differ."""
    first, second = facts.get(one, {}), facts.get(other, {})
    return tuple(factor for factor in FACTORS if first.get(factor) != second.get(factor))


def phrase(facts: Facts, stacks: Iterable[str], against: Iterable[str]) -> str:
    """Say what sets stacks apart from others: `torch 2.13.0`, or their names; "" if nothing."""
    inside, outside = tuple(stacks), tuple(against)
    if not outside:
        return ""
    for factor in FACTORS:
        here = {facts.get(name, {}).get(factor, "") for name in inside}
        there = {facts.get(name, {}).get(factor, "") for name in outside}
        if not here & there and "" not in here:
            return f"{factor} {' or '.join(sorted(here))}"
    return " or ".join(inside)
