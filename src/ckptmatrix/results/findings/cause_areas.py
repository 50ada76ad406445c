"""Why cells come out as they do: known causes and failures that fit none, each with its boxes."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from ckptmatrix.model import MEASURED, Cause, CellRecord, Matrix, Status, Verdict
from ckptmatrix.results.findings.axis import Axis, span
from ckptmatrix.results.findings.regions import Region, Side, regions_of
from ckptmatrix.results.findings.stacks import Facts, differing, facts_of, phrase
from ckptmatrix.results.findings.tally import TODAY, Tally, tally, view_of
from ckptmatrix.util.terminal_text import plain


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
class Area:
    """A box in words."""

    region: Region
    """The box itself."""
    readers: str
    """`readers 0.32.1–0.33.0 on torch 2.13.0`."""
    writers: str
    """`saved with any release`."""
    swaps: tuple[Swap, ...]
    """What turns the outcome, one factor at a time."""


@dataclass(frozen=True)
class Finding:
    """One cause with everything measured about it."""

    id: str
    """Id in `Matrix.causes`; for unknown ones a name made from the failure itself."""
    cause: Cause
    """Explanation; for unknown ones what is known: the failure."""
    known: bool
    """Whether the catalogue explains it."""
    cells: int
    """Cells that have it, as accelerate loads today."""
    tally: Tally
    """Those by status."""
    areas: tuple[Area, ...]
    """The boxes it covers, largest first."""
    example: CellRecord
    """One of its cells, the newest reader with the newest writer."""


def findings_of(matrix: Matrix, axis: Axis) -> tuple[Finding, ...]:
    """Group what is not exact today by cause: unknown ones first, then by number of cells."""
    today = [cell for cell in matrix.cells if view_of(cell) == TODAY and cell.status in MEASURED]
    groups: dict[str, list[CellRecord]] = {}
    for cell in today:
        if cell.status is not Status.EXACT:
            groups.setdefault(signature(cell, matrix.causes), []).append(cell)
    facts = facts_of(matrix)
    lookup = {(cell.writer, cell.reader, cell.scenario): cell for cell in today}
    position = {id_: index for index, id_ in enumerate(axis.environments)}
    findings = []
    for id_, members in groups.items():
        known = id_ in matrix.causes
        regions = regions_of(matrix, axis, today, _belongs(id_, matrix.causes))
        findings.append(
            Finding(
                id=id_,
                cause=matrix.causes[id_] if known else _unknown(members[0]),
                known=known,
                cells=len(members),
                tally=tally(cell.status for cell in members),
                areas=_joined(_area(region, axis, facts, matrix, lookup) for region in regions),
                example=max(
                    members,
                    key=lambda c: (position.get(c.reader, -1), position.get(c.writer, -1)),
                ),
            )
        )
    return tuple(sorted(findings, key=lambda finding: (finding.known, -finding.cells)))


def signature(cell: CellRecord, causes: Mapping[str, Cause]) -> str:
    """Give the id of the cell's cause; failures without one are grouped by what they look like."""
    if cell.cause is not None and cell.cause in causes:
        return cell.cause
    if cell.error is not None:
        # Numbers, addresses and quoted names differ between cells of one kind.
        text = re.sub(r"0x[0-9a-f]+|\d+", "#", cell.error.message.partition("\n")[0])
        return f"{cell.status}: {cell.error.type}: {text[:80]}"
    bad = [f"{v} {n}" for n, v in cell.components.items() if v in (Verdict.LOST, Verdict.WRONG)]
    if not bad and cell.resume and cell.resume.first_difference:
        bad = [f"{cell.resume.first_difference.quantity} differs after the resume"]
    return f"{cell.status}: {', '.join(bad)}" if bad else str(cell.status)


def side_text(side: Side, facts: Facts) -> str:
    """Say which versions one side of a box covers: `0.32.1–0.33.0 on torch 2.13.0`."""
    if side.oldest and side.newest:
        releases = "any release"
    elif side.oldest:
        releases = f"{side.last} and older"
    elif side.newest:
        releases = f"{side.first} and newer"
    else:
        releases = span(side.first, side.last)
    where = phrase(facts, side.stacks, side.against)
    return f"{releases} on {where}" if where else releases


def _belongs(id_: str, causes: Mapping[str, Cause]) -> Callable[[CellRecord], bool]:
    def belongs(cell: CellRecord) -> bool:
        return cell.status is not Status.EXACT and signature(cell, causes) == id_

    return belongs


def _unknown(cell: CellRecord) -> Cause:
    said = f"{cell.error.type}: {cell.error.message}" if cell.error else signature(cell, {})
    return Cause(
        title=plain(said).partition("\n")[0][:160],
        explanation="No known cause explains this; the boxes below say what it depends on.",
        remedy="Open one of its cells and look at the last frames; then please report it.",
    )


def _joined(areas: Iterable[Area]) -> tuple[Area, ...]:
    """Join boxes that read the same, as they differ only in what another scenario cannot tell."""
    found: dict[tuple[str, str], Area] = {}
    for area in areas:
        key = (area.readers, area.writers)
        if key in found:
            one, other = found[key].region, area.region
            region = replace(
                one,
                scenarios=(*one.scenarios, *(s for s in other.scenarios if s not in one.scenarios)),
                cells=one.cells + other.cells,
                measured=one.measured + other.measured,
            )
            area = replace(found[key], region=region)
        found[key] = area
    return tuple(sorted(found.values(), key=lambda area: -area.region.cells))


def _area(
    region: Region,
    axis: Axis,
    facts: Facts,
    matrix: Matrix,
    lookup: dict[tuple[str, str, str], CellRecord],
) -> Area:
    reader, writer = side_text(region.reader, facts), side_text(region.writer, facts)
    return Area(
        region,
        f"readers {reader}" if reader[0].isdigit() else reader.replace("any release", "any reader"),
        f"saved with {writer}",
        tuple(_swaps(region, axis, facts, matrix, lookup)),
    )


def _swaps(
    region: Region,
    axis: Axis,
    facts: Facts,
    matrix: Matrix,
    lookup: dict[tuple[str, str, str], CellRecord],
) -> list[Swap]:
    ids = {(record.accelerate, record.stack): id_ for id_, record in matrix.environments.items()}
    inside = {
        name: [
            (release, stack)
            for stack in side.stacks
            for release in axis.releases[
                axis.releases.index(side.first) : axis.releases.index(side.last) + 1
            ]
        ]
        for name, side in (("reader", region.reader), ("writer", region.writer))
    }

    def becomes(name: str, old: tuple[str, str], new: tuple[str, str]) -> list[Status]:
        """Compare (release, stack) with another; an empty part of `old` stands for any."""
        found = []
        for place in inside[name]:
            if any(want and want != have for want, have in zip(old, place, strict=True)):
                continue
            target = (new[0] or place[0], new[1] or place[1])
            for partner in inside["writer" if name == "reader" else "reader"]:
                for scenario in region.scenarios:
                    before = _pair(name, ids.get(place), ids.get(partner))
                    after = _pair(name, ids.get(target), ids.get(partner))
                    was, is_ = lookup.get((*before, scenario)), lookup.get((*after, scenario))
                    if was is not None and is_ is not None:
                        found.append(is_.status)
        return found

    swaps = []
    for name, side in (("reader", region.reader), ("writer", region.writer)):
        for old, new in ((side.first, side.before), (side.last, side.after)):
            if new and (statuses := becomes(name, (old, ""), (new, ""))):
                swaps.append(Swap(f"{name}'s accelerate", old, new, tally(statuses)))
        for stack in side.stacks:
            for other in side.against:
                factors = differing(facts, stack, other)
                if len(factors) == 1 and (statuses := becomes(name, ("", stack), ("", other))):
                    old, new = facts[stack][factors[0]], facts[other][factors[0]]
                    swaps.append(Swap(f"{name}'s {factors[0]}", old, new, tally(statuses)))
    return swaps


def _pair(name: str, this: str | None, partner: str | None) -> tuple[str, str]:
    """Give (writer, reader) ids when `this` is the side called `name`."""
    ids = (this or "", partner or "")
    return ids if name == "writer" else (ids[1], ids[0])
