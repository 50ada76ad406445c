"""`matrix.md`: what fits a pull request comment and a CI step summary."""

from collections.abc import Iterator

from ckptmatrix.model import MEASURED, Status
from ckptmatrix.results.findings.cause_areas import Finding
from ckptmatrix.results.findings.comparison import ChangeKind, devices_of
from ckptmatrix.results.findings.regions import Extent
from ckptmatrix.results.findings.tally import GLYPHS, Tally, tally
from ckptmatrix.results.findings.views import is_today
from ckptmatrix.results.report.changes import (
    changes_markdown,
    commands_markdown,
    escape,
    turns_markdown,
)
from ckptmatrix.results.report.grid import era_letter
from ckptmatrix.results.report.page import Page, scenarios_text
from ckptmatrix.results.report.upgrade_markdown import upgrade_markdown

FILENAME = "matrix.md"
"""Name of the file in a report's directory."""

CAUSES = 12
"""Causes that are listed; GitHub cuts a comment at 65 536 characters."""

AREAS = 3
"""Boxes of versions that are listed of each cause."""

_NAMED = 8
"""So many scenarios are named in the head; more are counted."""


def render(page: Page) -> bytes:
    """Give the summary as GitHub's Markdown, UTF-8."""
    return ("\n".join(_lines(page)) + "\n").encode("utf-8", "replace")


def _lines(page: Page) -> Iterator[str]:
    run, axis = page.matrix.run, page.axis
    yield "## Will your accelerate checkpoints still resume?"
    yield ""
    devices = " and ".join(devices_of(page.matrix))
    yield escape(
        f"{len(axis.releases)} releases of accelerate on {', '.join(axis.stacks)}; "
        f"{_named(page.scenarios)}; on {devices}, {run.finished[:10]}, tier {run.scope}."
    )
    for alarm in page.alarms:
        yield f"- **{escape(alarm)}**"
    yield ""
    if page.wrong:
        yield from (*turns_markdown(page.wrong, "what changed"), "")
        yield from (*commands_markdown(page.wrong), "")
    if page.commonest is not None:
        yield from ("### To the newest release from the one before", "")
        yield from upgrade_markdown(page.commonest)
    yield from _counts(page)
    yield from _newest(page)
    if page.diff is not None:
        milder = [kind for kind in ChangeKind if kind is not ChangeKind.REGRESSED]
        told = changes_markdown(page.matrix, page.diff, milder)
        yield from ("### Since the baseline", "", told, "")
    yield from _grids(page)
    yield from _scenarios(page)
    yield from _causes(page)
    if run.variables:
        yield f"Variables for GPUs that were passed on: {escape(', '.join(run.variables))}.\n"
    for note in page.how:
        yield f"{escape(note)}\n"
    if page.newer:
        yield f"Newer releases: {escape(page.newer)}."


def _counts(page: Page) -> Iterator[str]:
    used = [s for s in GLYPHS if any(s in counted.by_status for counted in page.tallies.values())]
    yield f"| loaded | {' | '.join(f'{GLYPHS[s]} {s}' for s in used)} | measured |"
    yield f"|---|{'---:|' * (len(used) + 1)}"
    for view, counted in page.tallies.items():
        numbers = [f"{counted.by_status.get(status, 0)}" for status in used]
        yield f"| {escape(view.title)} | {' | '.join(numbers)} | {counted.measured} |"
    yield ""
    made_exact = [
        f"{view.title}: {counted.exact} of the {counted.total} loads that are not exact today"
        for view, counted in page.remedied.items()
        if counted.total
    ]
    if made_exact:
        yield f"Made exact: {escape('; '.join(made_exact))}."
        yield ""


def _named(scenarios: tuple[str, ...]) -> str:
    return ", ".join(scenarios) if len(scenarios) <= _NAMED else f"{len(scenarios)} scenarios"


def _scenarios(page: Page) -> Iterator[str]:
    """Counts of each scenario, folded away: a run may have many."""
    if len(page.scenarios) == 1:
        return
    used = [s for s in GLYPHS if any(s in found.by_status for found in page.by_scenario.values())]
    yield "<details><summary>By scenario, as it is today</summary>"
    yield ""
    yield f"| scenario | {' | '.join(f'{GLYPHS[s]} {s}' for s in used)} |"
    yield f"|---|{'---:|' * len(used)}"
    for name, counted in page.by_scenario.items():
        numbers = (f"{counted.by_status.get(status, 0)}" for status in used)
        yield f"| {escape(name)} | {' | '.join(numbers)} |"
    yield from ("", "</details>", "")


def _newest(page: Page) -> Iterator[str]:
    if not page.targets:
        return
    yield f"### Straight to the newest release (scenario {escape(page.targets[0].scenario)})"
    yield ""
    yield "| into | resumes exactly if saved with | loses state silently | fails |"
    yield "|---|---|---|---|"
    for target in page.targets:
        raised = [target.writers.get(s) for s in (Status.CRASHED, Status.TIMEOUT, Status.FAILED)]
        cells = (
            f"{target.release} on {target.stack}",
            target.writers.get(Status.EXACT, "none"),
            target.writers.get(Status.DEGRADED, "none"),
            "; ".join(filter(None, raised)) or "none",
        )
        yield f"| {' | '.join(escape(cell) for cell in cells)} |"
    yield ""


def _grids(page: Page) -> Iterator[str]:
    """Give one small grid of eras for each pair of stacks, the newest with itself on top.

    Of many scenarios it is the plain one; all together follow, for each stack with itself.
    """
    stacks = page.axis.stacks
    if not stacks:
        return
    same = [(stack, stack) for stack in page.axis.newest]
    pairs = same[:1] + [(w, r) for w in stacks for r in stacks if (w, r) != same[0]]
    yield f"### Era with era{f' (scenario {escape(page.shown)})' if page.shown else ''}"
    yield ""
    yield f"Rows saved with, columns loaded with. {_legend()}"
    yield ""
    found = _by_era(page, page.shown)
    yield from _tables(page, found, pairs[:1])
    if len(pairs) > 1:
        yield "<details><summary>The other stacks</summary>\n"
        yield from _tables(page, found, pairs[1:])
        yield "</details>\n"
    if page.shown:
        yield f"<details><summary>All {len(page.scenarios)} scenarios together</summary>\n"
        yield from _tables(page, _by_era(page, ""), same)
        yield "</details>\n"


def _tables(
    page: Page,
    found: dict[tuple[str, int, str, int], list[Status]],
    pairs: list[tuple[str, str]],
) -> Iterator[str]:
    for writer, reader in pairs:
        yield f"Saved on **{escape(writer)}**, loaded on **{escape(reader)}**:"
        yield ""
        yield from _grid(page, found, writer, reader)
        yield ""


def _by_era(page: Page, scenario: str) -> dict[tuple[str, int, str, int], list[Status]]:
    """Collect today's statuses by stack and era of both sides; no scenario means all."""
    era = {release: i for i, group in enumerate(page.axis.eras) for release in group.releases}
    records = page.matrix.environments
    found: dict[tuple[str, int, str, int], list[Status]] = {}
    for cell in page.matrix.cells:
        writer, reader = records.get(cell.writer), records.get(cell.reader)
        if writer is None or reader is None or not is_today(cell):
            continue
        if scenario in ("", cell.scenario):
            key = (writer.stack, era[writer.accelerate], reader.stack, era[reader.accelerate])
            found.setdefault(key, []).append(cell.status)
    return found


def _grid(
    page: Page, found: dict[tuple[str, int, str, int], list[Status]], writer: str, reader: str
) -> Iterator[str]:
    eras = range(len(page.axis.eras))
    names = [escape(f"{era_letter(i)} {page.axis.eras[i].name}") for i in eras]
    yield f"| saved \\ loaded | {' | '.join(names)} |"
    yield f"|---|{':---:|' * len(names)}"
    for row in eras:
        cells = [_sign(tally(found.get((writer, row, reader, column), ()))) for column in eras]
        yield f"| **{names[row]}** | {' | '.join(cells)} |"


def _sign(counted: Tally) -> str:
    """Give the status of all measured loads of a cell, or how many there are of each."""
    measured = [status for status in GLYPHS if status in MEASURED and status in counted.by_status]
    if len(measured) < 2:
        return GLYPHS[counted.worst]
    return " ".join(f"{counted.by_status[status]}{GLYPHS[status]}" for status in measured)


def _legend() -> str:
    return ", ".join(f"{glyph} {status}" for status, glyph in GLYPHS.items()) + (
        "; where the loads of a cell differ, how many there are of each."
    )


def _causes(page: Page) -> Iterator[str]:
    if not page.findings:
        return
    yield "### Causes"
    yield ""
    for finding in page.findings[:CAUSES]:
        yield from _cause(page, finding)
    if len(page.findings) > CAUSES:
        yield f"- and {len(page.findings) - CAUSES} more, in the page"
    yield ""


def _cause(page: Page, finding: Finding) -> Iterator[str]:
    counted = ", ".join(f"{count} {status}" for status, count in finding.tally.by_status.items())
    flag = "" if finding.known else "fits no known cause: "
    yield f"- **{flag}{escape(finding.cause.title)}** ({counted}). {escape(finding.cause.remedy)}"
    for area in finding.areas[:AREAS]:
        where = f" in {scenarios_text(area.region.scenarios, page.scenarios)}"
        where = where if len(page.scenarios) > 1 else ""
        covers = escape(f"{area.readers}, {area.writers} ({area.region.cells}{where})")
        yield f"  - {covers}{_borders(area.region.reader)}"
    if len(finding.areas) > AREAS:
        left = len(finding.areas) - AREAS
        yield f"  - and {left} smaller {'area' if left == 1 else 'areas'}"


def _borders(side: Extent) -> str:
    """Say between which readers the outcome turns; empty if every reader or none is known."""
    borders = [] if side.oldest else [f"first bad reader {escape(side.first)}"]
    if side.after:
        borders.append(f"first good one {escape(side.after)}")
    return f": {', '.join(borders)}" if borders else ""
