"""A row for people: the verdict in a few sentences, a table for each stack, causes and remedies."""

from collections.abc import Iterable, Iterator

from packaging.version import Version
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ckptmatrix.measure.directory.row import DirectoryRow, unsaved
from ckptmatrix.model import BAD, CellRecord, Status, summary
from ckptmatrix.util.terminal_text import clean

_STYLES = {Status.EXACT: "blue", Status.DEGRADED: "yellow", Status.FAILED: "bold red"}


def verdict(row: DirectoryRow) -> str:
    """The answer in a few sentences."""
    whole, measured = row.whole, row.measured
    subject = "A repaired copy" if row.treatment == "repaired" else "It"
    said = [f"{subject} comes back whole in {len(whole)} of {len(measured)} environments."]
    said += [f"It silently loses {what} in {where}." for what, where in _losses(row, measured)]
    said += [f"It raises {what} in {where}." for what, where in _raised(row, measured)]
    lacking = [cell for cell in measured if cell.status is Status.EXACT and cell not in whole]
    if lacking:
        missing = ", ".join(dict.fromkeys(name for cell in lacking for name in unsaved(cell)))
        said.append(f"It has no {missing}, so that starts anew in {_places(row, lacking)}.")
    return " ".join(said)


def _losses(row: DirectoryRow, cells: Iterable[CellRecord]) -> Iterator[tuple[str, str]]:
    groups: dict[str, list[CellRecord]] = {}
    for cell in cells:
        if cell.status is Status.DEGRADED:
            bad = [name for name, found in cell.components.items() if found in BAD]
            groups.setdefault(", ".join(bad), []).append(cell)
    for what, members in groups.items():
        yield what, _places(row, members)


def _raised(row: DirectoryRow, cells: Iterable[CellRecord]) -> Iterator[tuple[str, str]]:
    groups: dict[str, list[CellRecord]] = {}
    for cell in cells:
        if cell.error:
            groups.setdefault(clean(summary(cell), 90), []).append(cell)
    for what, members in groups.items():
        yield what, _places(row, members)


def _places(row: DirectoryRow, cells: Iterable[CellRecord]) -> str:
    """`1.0.1, 1.15.0 on torch2.15-np1 and torch2.15-np2; 0.33.0 on torch2.4-np1`."""
    by_stack: dict[str, list[str]] = {}
    for cell in cells:
        release, stack = row.reader(cell)
        by_stack.setdefault(stack, []).append(release)
    by_releases: dict[str, list[str]] = {}
    for stack, found in by_stack.items():
        by_releases.setdefault(", ".join(sorted(found, key=Version)), []).append(stack)
    return "; ".join(f"{found} on {' and '.join(on)}" for found, on in by_releases.items())


def remedies(row: DirectoryRow) -> tuple[str, ...]:
    """What to do about it, the causes' remedies first."""
    found = [f"{cause.title}: {cause.remedy}" for cause in row.causes.values()]
    if not row.whole and row.treatment == "as-saved":
        found.append(
            f"No environment brings it back whole: `ckptmatrix try {row.directory} --repaired` "
            "shows what `ckptmatrix repair` would bring back."
        )
    return tuple(found)


def show(row: DirectoryRow, console: Console) -> None:
    """Print the row."""
    console.print(Text(clean(row.directory), style="bold"))
    console.print(Text(f"{row.written_by}; loaded by {row.loader}, {row.treatment}", style="dim"))
    console.print(Text(verdict(row)))
    numbers = {cause: f"[{index}]" for index, cause in enumerate(row.causes, 1)}
    for stack in dict.fromkeys(row.environments[cell.reader].stack for cell in row.cells):
        table = Table("accelerate", "status", "what", "why", box=box.SIMPLE_HEAD, title=stack)
        table.title_justify = "left"
        for cell in row.cells:
            release, place = row.reader(cell)
            if place == stack:
                status = Text(cell.status, style=_STYLES.get(cell.status, "dim"))
                why = numbers.get(cell.cause or "", "")
                table.add_row(release, status, Text(clean(summary(cell))), why)
        console.print(table)
    for index, line in enumerate(remedies(row), 1):
        console.print(Text(f"[{index}] {clean(line, 1000)}"))
    console.print(Text("Notes", style="bold"))
    for note in row.notes:
        console.print(Text(f"- {clean(note)}"))


def as_markdown(row: DirectoryRow) -> str:
    """The row as a Markdown page for an issue."""
    lines = [f"### `{clean(row.directory)}`", "", verdict(row), ""]
    stacks = list(dict.fromkeys(row.environments[cell.reader].stack for cell in row.cells))
    lines += [f"| accelerate | {' | '.join(stacks)} |", "|---" * (len(stacks) + 1) + "|"]
    cells = {row.reader(cell): cell for cell in row.cells}
    for release in sorted({release for release, _ in cells}, key=Version):
        words = [_in_words(cells.get((release, stack))) for stack in stacks]
        lines.append(f"| {release} | {' | '.join(words)} |")
    for title, items in (("What to do", remedies(row)), ("Notes", row.notes)):
        if items:
            lines += ["", f"{title}:", "", *(f"- {clean(item, 1000)}" for item in items)]
    return "\n".join(lines)


def _in_words(cell: CellRecord | None) -> str:
    if cell is None:
        return ""
    said = clean(summary(cell), 120).replace("|", "\\|")
    return f"{cell.status}" if cell.status is Status.EXACT else f"**{cell.status}**: {said}"
