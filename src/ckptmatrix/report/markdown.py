"""`matrix.md`: what fits a pull request comment and a CI step summary."""

from collections.abc import Iterator

from ckptmatrix.findings.causes import Finding
from ckptmatrix.findings.tally import GLYPHS, TODAY, Tally, tally, view_of
from ckptmatrix.model import MEASURED, Status
from ckptmatrix.report.changes import changes_markdown, escape
from ckptmatrix.report.grid import era_letter
from ckptmatrix.report.page import Page

FILENAME = "matrix.md"
"""Name of the file in a report's directory."""

CAUSES = 12
"""Causes that are told; GitHub cuts a comment at 65 536 characters."""

AREAS = 3
"""Boxes of versions that are told of each cause."""

_NAMED = 8
"""So many scenarios are named in the head; more are counted."""


def render(page: Page) -> bytes:
    """Give the summary as GitHub's Markdown, UTF-8."""
    return ("\n".join(_lines(page)) + "\n").encode("utf-8", "replace")


def _lines(page: Page) -> Iterator[str]:
    run, axis = page.matrix.run, page.axis
    yield "## Will your accelerate checkpoints still resume?"
    yield ""
    yield escape(
        f"{len(axis.releases)} releases of accelerate on {', '.join(axis.stacks)}; "
        f"{_named(page.scenarios)}; on {run.device}, {run.finished[:10]}, tier {run.scope}."
    )
    for alarm in page.alarms:
        yield f"- **{escape(alarm)}**"
    yield ""
    yield from _counts(page)
    yield from _newest(page)
    if page.diff is not None:
        yield from ("### Since the baseline", "", changes_markdown(page.diff), "")
    yield from _grids(page)
    yield from _scenarios(page)
    yield from _causes(page)
    if run.newer:
        yield f"Newer releases that are not covered: {escape(', '.join(run.newer))}."


def _counts(page: Page) -> Iterator[str]:
    used = [s for s in GLYPHS if any(s in counted.by_status for counted in page.tallies.values())]
    yield f"| loaded | {' | '.join(f'{GLYPHS[s]} {s}' for s in used)} | measured |"
    yield f"|---|{'---:|' * (len(used) + 1)}"
    for view, counted in page.tallies.items():
        numbers = [f"{counted.by_status.get(status, 0)}" for status in used]
        yield f"| {escape(view.title)} | {' | '.join(numbers)} | {counted.measured} |"
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
    """Give one small grid of eras for each pair of stacks, the newest with itself on top."""
    stacks = page.axis.stacks
    if not stacks:
        return
    newest = stacks[-1]
    pairs = [(newest, newest)]
    pairs += [(w, r) for w in stacks for r in stacks if (w, r) != (newest, newest)]
    found = _by_era(page)
    yield "### Era with era"
    yield ""
    yield f"Rows saved with, columns loaded with. {_legend()}"
    yield ""
    for index, (writer, reader) in enumerate(pairs):
        if index == 1:
            yield "<details><summary>The other stacks</summary>\n"
        yield f"Saved on **{escape(writer)}**, loaded on **{escape(reader)}**:"
        yield ""
        yield from _grid(page, found, writer, reader)
        yield ""
    if len(pairs) > 1:
        yield "</details>\n"


def _by_era(page: Page) -> dict[tuple[str, int, str, int], list[Status]]:
    era = {release: i for i, group in enumerate(page.axis.eras) for release in group.releases}
    records = page.matrix.environments
    found: dict[tuple[str, int, str, int], list[Status]] = {}
    for cell in page.matrix.cells:
        writer, reader = records.get(cell.writer), records.get(cell.reader)
        if writer is None or reader is None or view_of(cell) != TODAY:
            continue
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
    """Give the worst status, and the tally where the loads of a cell do not agree."""
    glyph = GLYPHS[counted.worst]
    alike = counted.exact in (0, counted.measured) or counted.worst not in MEASURED
    return glyph if alike else f"{glyph} {counted.exact}/{counted.measured}"


def _legend() -> str:
    return ", ".join(f"{glyph} {status}" for status, glyph in GLYPHS.items()) + (
        "; the worst of a cell, with the number of exact loads where they differ."
    )


def _causes(page: Page) -> Iterator[str]:
    if not page.findings:
        return
    yield "### Causes"
    yield ""
    for finding in page.findings[:CAUSES]:
        yield from _cause(finding)
    if len(page.findings) > CAUSES:
        yield f"- and {len(page.findings) - CAUSES} more, in the page"
    yield ""


def _cause(finding: Finding) -> Iterator[str]:
    counted = ", ".join(f"{count} {status}" for status, count in finding.tally.by_status.items())
    flag = "" if finding.known else "fits no known cause: "
    yield f"- **{flag}{escape(finding.cause.title)}** ({counted}). {escape(finding.cause.remedy)}"
    for area in finding.areas[:AREAS]:
        yield f"  - {escape(area.readers)}, {escape(area.writers)} ({area.region.cells})"
    if len(finding.areas) > AREAS:
        yield f"  - and {len(finding.areas) - AREAS} smaller areas"
