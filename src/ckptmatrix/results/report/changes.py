"""What changed between two runs, as Markdown: for `diff` and for `matrix.md`."""

from collections.abc import Iterable, Mapping

from ckptmatrix.model import CellRecord, EnvironmentRecord
from ckptmatrix.results.findings.axis import span, version_key
from ckptmatrix.results.findings.diff import CellChange, Change, Diff

SHOWN = 12
"""Groups of changes that are listed of each kind; a comment is for reading."""

_ESCAPES = {ord(char): f"&#{ord(char)};" for char in "&\\`*_{}[]<>|~$@#"}


def changes_markdown(diff: Diff) -> str:
    """Give the change in one line, then its groups, the worst first."""
    lines = [f"**{diff.sentence}** ({diff.compared} cells compared)"]
    for change in Change:
        groups = grouped(diff.of(change), diff.environments)
        if not groups:
            continue
        lines += [
            "",
            f"| {change} | saved with | loaded with | scenarios | cells |",
            "|---|---|---|---|---:|",
        ]
        for *told, count in groups[:SHOWN]:
            lines.append(f"| {' | '.join(escape(text) for text in told)} | {count} |")
        if len(groups) > SHOWN:
            lines.append(f"| … and {len(groups) - SHOWN} more rows | | | | |")
    return "\n".join(lines)


def grouped(
    changes: tuple[CellChange, ...], environments: Mapping[str, EnvironmentRecord]
) -> list[tuple[str, str, str, str, int]]:
    """Put changes of the same kind together: (what, writers, readers, scenarios, cells)."""
    groups: dict[tuple[str, str, str], list[CellRecord]] = {}
    for item in changes:
        cell = item.cell
        stacks = environments[cell.writer].stack, environments[cell.reader].stack
        key = (describe(item), *stacks)
        groups.setdefault(key, []).append(cell)

    def releases(ids: Iterable[str]) -> str:
        return _releases({environments[id_].accelerate for id_ in ids})

    rows = [
        (
            what,
            f"{releases(cell.writer for cell in cells)} on {writer_stack}",
            f"{releases(cell.reader for cell in cells)} on {reader_stack}",
            ", ".join(dict.fromkeys(cell.scenario for cell in cells)),
            len(cells),
        )
        for (what, writer_stack, reader_stack), cells in groups.items()
    ]
    return sorted(rows, key=lambda row: -row[-1])


def describe(item: CellChange) -> str:
    """Say what became of a cell: `exact → failed (KeyError)`, and how it was loaded if oddly."""
    told = " → ".join(_state(cell) for cell in (item.old, item.new) if cell is not None)
    cell = item.cell
    how = [cell.loader] * (cell.loader != "accelerate")
    how += [cell.treatment] * (cell.treatment != "as-saved")
    return f"{told} [{', '.join(how)}]" if how else told


def escape(text: str) -> str:
    """Make text harmless inside a cell of a Markdown table, whatever a checkpoint put into it."""
    return " ".join(text.split()).translate(_ESCAPES)


def _state(cell: CellRecord) -> str:
    return f"{cell.status} ({cell.error.type})" if cell.error else str(cell.status)


def _releases(found: set[str]) -> str:
    ordered = sorted(found, key=version_key)
    if len(ordered) <= 3:
        return ", ".join(ordered)
    return f"{span(ordered[0], ordered[-1])} ({len(ordered)} releases)"
