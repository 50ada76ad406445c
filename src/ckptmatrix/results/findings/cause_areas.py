"""Why cells come out as they do: known causes and failures that fit none, each with its boxes."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ckptmatrix.model import MEASURED, Cause, CellRecord, Matrix, Status
from ckptmatrix.results.findings.axis import Axis, span
from ckptmatrix.results.findings.regions import Extent, Region, regions_of
from ckptmatrix.results.findings.stacks import StackVersions, phrase, stack_versions
from ckptmatrix.results.findings.swaps import Loads, Swap, swaps_of
from ckptmatrix.results.findings.tally import Tally, losses, tally
from ckptmatrix.results.findings.views import is_today
from ckptmatrix.util.terminal_text import plain


@dataclass(frozen=True)
class Area:
    """A box in words."""

    region: Region
    """The box itself."""
    readers: str
    """`readers 0.32.1–0.33.0 on torch 2.15.0`."""
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


def findings_of(matrix: Matrix, axis: Axis) -> tuple[Finding, ...]:
    """Group what is not exact today by cause: unknown ones first, then by number of cells."""
    today = [cell for cell in matrix.cells if is_today(cell) and cell.status in MEASURED]
    kinds = [(cell, kind_of(cell, matrix.causes)) for cell in today]
    groups: dict[str, list[CellRecord]] = {}
    for cell, kind in kinds:
        if kind:
            groups.setdefault(kind, []).append(cell)
    regions = regions_of(matrix, axis, kinds)
    versions = stack_versions(matrix)
    loads = {(cell.writer, cell.reader, cell.scenario): cell for cell in today}
    findings = []
    for id_, members in groups.items():
        known = id_ in matrix.causes
        areas = (_area(region, axis, versions, loads) for region in regions.get(id_, ()))
        findings.append(
            Finding(
                id=id_,
                cause=matrix.causes[id_] if known else _unknown(members[0]),
                known=known,
                cells=len(members),
                tally=tally(cell.status for cell in members),
                areas=_joined(areas),
            )
        )
    return tuple(sorted(findings, key=lambda finding: (finding.known, -finding.cells)))


def kind_of(cell: CellRecord, causes: Mapping[str, Cause]) -> str:
    """Give the id of the cell's cause; failures without one are grouped by what they look like.

    Empty for what is exact.
    """
    if cell.status is Status.EXACT:
        return ""
    if cell.cause is not None and cell.cause in causes:
        return cell.cause
    if cell.error is not None:
        # Numbers, addresses and quoted names differ between cells of one kind.
        text = re.sub(r"0x[0-9a-f]+|\d+", "#", cell.error.message.partition("\n")[0])
        return f"{cell.status}: {cell.error.type}: {text[:80]}"
    bad = [f"{cell.components[name]} {name}" for name in losses(cell)]
    if not bad and cell.resume and cell.resume.first_difference:
        bad = [f"{cell.resume.first_difference.quantity} differs after the resume"]
    return f"{cell.status}: {', '.join(bad)}" if bad else str(cell.status)


def side_text(side: Extent, versions: StackVersions) -> str:
    """Say which versions one side of a box covers: `0.32.1–0.33.0 on torch 2.15.0`.

    A box ends at what was tested: nothing is said of releases older or newer than that.
    """
    every = side.oldest and side.newest
    releases = "any tested release" if every else span(side.first, side.last)
    where = phrase(versions, side.stacks, side.against)
    return f"{releases} on {where}" if where else releases


def _unknown(cell: CellRecord) -> Cause:
    said = f"{cell.error.type}: {cell.error.message}" if cell.error else kind_of(cell, {})
    return Cause(
        title=plain(said).partition("\n")[0][:160],
        explanation="No known cause explains this; the boxes below say what it depends on.",
        remedy="Open one of its cells and look at the last frames; then please report it.",
    )


def _joined(areas: Iterable[Area]) -> tuple[Area, ...]:
    """Join boxes that read the same, as they differ only in what another scenario cannot show."""
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


def _area(region: Region, axis: Axis, versions: StackVersions, loads: Loads) -> Area:
    reader, writer = side_text(region.reader, versions), side_text(region.writer, versions)
    return Area(
        region,
        f"readers {reader}"
        if reader[0].isdigit()
        else reader.replace("any tested release", "any tested reader"),
        f"saved with {writer}",
        swaps_of(region, axis, versions, loads),
    )
