"""What turns an outcome: the same loads, with one factor alone exchanged for a neighbour's."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ckptmatrix.model import CellRecord, Environment, Status
from ckptmatrix.results.findings.axis import Axis, Side
from ckptmatrix.results.findings.regions import Extent, Region
from ckptmatrix.results.findings.stacks import StackVersions, differing
from ckptmatrix.results.findings.tally import Tally, tally

Loads = Mapping[tuple[str, str, str], CellRecord]
"""(id of the writer, id of the reader, scenario) -> what was measured, all by one way to load."""


@dataclass(frozen=True)
class Swap:
    """What becomes of bad cells when one factor alone is swapped."""

    factor: str
    """Such as `reader's torch`."""
    old: str
    """Its value in the bad cells."""
    new: str
    """Its value after the swap."""
    becomes: Tally
    """Statuses after the swap, of the cells that were measured on both sides of it."""


@dataclass(frozen=True)
class _Exchange:
    """One factor of one side, to be exchanged."""

    factor: str
    """`accelerate`, or what two stacks differ in."""
    old: str
    """Its version before."""
    new: str
    """Its version after."""
    replaced: Mapping[Environment, Environment]
    """Each environment of the side that has the old version -> the same with the new one."""


def swaps_of(region: Region, axis: Axis, versions: StackVersions, loads: Loads) -> tuple[Swap, ...]:
    """Swap every factor of a box for each neighbour that turns the outcome.

    Args:
        region: the box.
        axis: its releases in order.
        versions: what the stacks hold; two that differ in more than one factor say nothing.
        loads: everything measured.

    Returns:
        The writer's after the reader's; none of which nothing was measured on both sides.
    """
    inside = {side: tuple(_environments(region.of(side), axis)) for side in Side}
    found = []
    for side in (Side.READER, Side.WRITER):
        for exchange in _exchanges(region.of(side), inside[side], versions):
            statuses = tuple(_after(side, exchange, inside[side.other], region.scenarios, loads))
            if statuses:
                factor = f"{side}'s {exchange.factor}"
                found.append(Swap(factor, exchange.old, exchange.new, tally(statuses)))
    return tuple(found)


def _environments(extent: Extent, axis: Axis) -> Iterator[Environment]:
    first, last = axis.releases.index(extent.first), axis.releases.index(extent.last)
    for stack in extent.stacks:
        for release in axis.releases[first : last + 1]:
            yield Environment(release, stack)


def _exchanges(
    extent: Extent, inside: Iterable[Environment], versions: StackVersions
) -> Iterator[_Exchange]:
    """Give the release at each end for its neighbour, then each stack for each across."""
    members = tuple(inside)
    for old, new in ((extent.first, extent.before), (extent.last, extent.after)):
        if new:
            ends = (one for one in members if one.accelerate == old)
            yield _Exchange(
                "accelerate", old, new, {one: replace(one, accelerate=new) for one in ends}
            )
    for stack in extent.stacks:
        for other in extent.against:
            factors = differing(versions, stack, other)
            if len(factors) == 1:
                factor = factors[0]
                those = (one for one in members if one.stack == stack)
                yield _Exchange(
                    factor,
                    versions[stack][factor],
                    versions[other][factor],
                    {one: replace(one, stack=other) for one in those},
                )


def _after(
    side: Side,
    exchange: _Exchange,
    partners: Iterable[Environment],
    scenarios: Iterable[str],
    loads: Loads,
) -> Iterator[Status]:
    """Give the status after the exchange, of every load that was measured before and after."""
    for partner in partners:
        for old, new in exchange.replaced.items():
            before, after = _ends(side, old, partner), _ends(side, new, partner)
            for scenario in scenarios:
                found = loads.get((*after, scenario))
                if found is not None and (*before, scenario) in loads:
                    yield found.status


def _ends(side: Side, here: Environment, partner: Environment) -> tuple[str, str]:
    """Give the ids of writer and reader."""
    return (here.id, partner.id) if side is Side.WRITER else (partner.id, here.id)
