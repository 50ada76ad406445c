"""What changed between two runs, as Markdown: for `diff` and for `matrix.md`."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

from ckptmatrix.model import CellRecord
from ckptmatrix.results.findings.axis import span, version_key
from ckptmatrix.results.findings.comparison import CellChange, ChangeKind, Diff
from ckptmatrix.results.findings.views import TODAY

SHOWN = 12
"""Groups of changes that are listed of each kind; a comment is for reading."""

_ESCAPES = {ord(char): f"&#{ord(char)};" for char in "&\\`*_{}[]<>|~$@#"}


@dataclass(frozen=True)
class ChangeGroup:
    """Changes that are alike but for releases and scenarios, in words."""

    what: str
    """`exact → failed (KeyError)`."""
    writers: str
    """`0.32.1, 0.33.0 on torch2.13-np2`."""
    readers: str
    """The same of the readers."""
    scenarios: str
    """Their names."""
    cells: int
    """How many cells it stands for."""


def changes_markdown(diff: Diff) -> str:
    """Give the change in one line, then its groups, the worst first."""
    lines = [f"**{diff.sentence}** ({diff.compared} cells compared)"]
    for change in ChangeKind:
        groups = groups_of(diff, diff.of(change))
        if not groups:
            continue
        lines += [
            "",
            f"| {change} | saved with | loaded with | scenarios | cells |",
            "|---|---|---|---|---:|",
        ]
        lines += [
            f"| {' | '.join(escape(str(value)) for value in astuple(group))} |"
            for group in groups[:SHOWN]
        ]
        if len(groups) > SHOWN:
            lines.append(f"| … and {len(groups) - SHOWN} more rows | | | | |")
    return "\n".join(lines)


def groups_of(diff: Diff, changes: Iterable[CellChange]) -> list[ChangeGroup]:
    """Put changes of the same kind between the same stacks together, the largest group first."""
    groups: dict[tuple[str, str, str], list[CellRecord]] = {}
    for item in changes:
        writer, reader = map(diff.environment, (item.cell.writer, item.cell.reader))
        groups.setdefault((describe(item), writer.stack, reader.stack), []).append(item.cell)
    found = [
        ChangeGroup(
            what,
            f"{_releases(diff, (cell.writer for cell in cells))} on {writer_stack}",
            f"{_releases(diff, (cell.reader for cell in cells))} on {reader_stack}",
            ", ".join(dict.fromkeys(cell.scenario for cell in cells)),
            len(cells),
        )
        for (what, writer_stack, reader_stack), cells in groups.items()
    ]
    return sorted(found, key=lambda group: -group.cells)


def describe(item: CellChange) -> str:
    """Say what became of a cell: `exact → failed (KeyError)`, and how it was loaded if oddly."""
    states = " → ".join(_state(cell) for cell in (item.old, item.new) if cell is not None)
    cell = item.cell
    how = [cell.loader] * (cell.loader != TODAY.loader)
    how += [cell.treatment] * (cell.treatment != TODAY.treatment)
    return f"{states} [{', '.join(how)}]" if how else states


def escape(text: str) -> str:
    """Make text harmless inside a cell of a Markdown table, whatever a checkpoint put into it."""
    return " ".join(text.split()).translate(_ESCAPES)


def _state(cell: CellRecord) -> str:
    return f"{cell.status} ({cell.error.type})" if cell.error else str(cell.status)


def _releases(diff: Diff, ids: Iterable[str]) -> str:
    found = {diff.environment(id_).accelerate for id_ in set(ids)}
    ordered = sorted(found, key=version_key)
    if len(ordered) <= 3:
        return ", ".join(ordered)
    return f"{span(ordered[0], ordered[-1])} ({len(ordered)} releases)"
