"""Shards: the readers of a plan dealt out to machines. Pure, so that every machine deals alike.

A reader is never split: its environment is built once, and what one of its cells brings about (one
outcome for equal checkpoints, remedies beside a load that is not exact) stays with it.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace

import msgspec

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Environment
from ckptmatrix.plan.estimate import reader_seconds
from ckptmatrix.plan.planning import Plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.util.home import digest


@dataclass(frozen=True)
class Shard:
    """One of several parts of a plan."""

    number: int
    """Which, from 1."""
    of: int
    """How many there are."""

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read `3/8`.

        Raises:
            ValueError: it is not of that form, or there is no such shard.
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text, re.ASCII)
        shard = cls(int(found[1]), int(found[2])) if found else None
        if shard is None or not 1 <= shard.number <= shard.of:
            raise ValueError(f"{text!r} is no shard: 3/8 is the third of eight")
        return shard


def deal(plan: Plan, shards: int) -> tuple[tuple[Environment, ...], ...]:
    """Deal the readers out by cost: the longest first, each to the shard that is done first.

    Args:
        plan: the whole plan.
        shards: how many shards.

    Returns:
        The readers of each shard, in the plan's order; none is empty.

    Raises:
        UsageError: there are fewer readers than shards.
    """
    costs = {
        reader: reader_seconds(cells)
        for reader, cells in Counter(cell.reader for cell in plan.cells).items()
    }
    if shards > len(costs):
        raise UsageError(
            f"{len(costs)} readers cannot be dealt out to {shards} shards",
            f"take --shard I/{len(costs)} at most: a reader is never split",
        )
    loads = [0.0] * shards
    hands: list[list[Environment]] = [[] for _ in range(shards)]
    for reader in sorted(costs, key=lambda reader: -costs[reader]):  # stable: ties as planned
        least = loads.index(min(loads))
        loads[least] += costs[reader]
        hands[least].append(reader)
    return tuple(tuple(reader for reader in costs if reader in hand) for hand in hands)


def part(plan: Plan, shard: Shard) -> Plan:
    """The shard's cells, with every writer that they need.

    Raises:
        UsageError: there are fewer readers than shards.
    """
    hand = set(deal(plan, shard.of)[shard.number - 1])
    return plan.narrowed(tuple(cell for cell in plan.cells if cell.reader in hand))


def plan_digest(plan: Plan) -> str:
    """Digest of all that a plan says: machines that plan otherwise cannot share the work."""
    return digest(msgspec.to_builtins(plan))


def sharded(selected: Selected, shard: Shard | None) -> Selected:
    """The selection with the shard's part of its plan; all of it if there is no shard."""
    return replace(selected, plan=part(selected.plan, shard)) if shard else selected
