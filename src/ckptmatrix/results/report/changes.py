"""What turned between two runs or against what was expected, as Markdown."""

from collections.abc import Iterable, Iterator

from ckptmatrix.model import Matrix
from ckptmatrix.results.findings.comparison import ChangeKind, Diff
from ckptmatrix.results.findings.turns import Turn, TurnArea, changed_turns
from ckptmatrix.util.terminal_text import plain

SHOWN = 12
"""Rows that are listed of each kind; a comment is for reading."""

_NAMED = 6
"""So many scenarios are named in a row; more are counted."""

_ESCAPES = {ord(char): f"&#{ord(char)};" for char in "&\\`*_{}[]<>|~$@#"}


def changes_markdown(matrix: Matrix, diff: Diff, kinds: Iterable[ChangeKind] = ChangeKind) -> str:
    """Give the change in one line, then what turned, the worst first.

    Args:
        matrix: the new run.
        diff: against the old one.
        kinds: which kinds of change are listed; the line counts all of them.
    """
    lines = [f"**{escape(diff.sentence)}** ({diff.compared} cells compared)"]
    for kind in kinds:
        turns = changed_turns(matrix, diff, [kind])
        if turns:
            lines += ["", *turns_markdown(turns, str(kind))]
    return "\n".join(lines)


def turns_markdown(turns: Iterable[Turn], title: str) -> Iterator[str]:
    """Give a table of what turned: a row for each area, and the command for it."""
    rows = [(turn, area) for turn in turns for area in turn.areas]
    yield f"| {title} | loaded with | saved with | scenarios | cells |"
    yield "|---|---|---|---|---:|"
    yield from (_row(turn, area) for turn, area in rows[:SHOWN])
    if len(rows) > SHOWN:
        yield f"| … and {len(rows) - SHOWN} more rows | | | | |"


def commands_markdown(turns: Iterable[Turn]) -> Iterator[str]:
    """Give, folded away, the command that measures each turn again where it is largest."""
    yield "<details><summary>Measure it again</summary>"
    yield ""
    for turn in list(turns)[:SHOWN]:
        yield f"- {escape(turn.title)}: <code>{escape(turn.areas[0].command)}</code>"
    yield from ("", "</details>")


def _row(turn: Turn, area: TurnArea) -> str:
    because = f". Because: {turn.cause}" if turn.cause else ""
    expected = f" ({turn.expected})" if turn.expected else ""
    names = area.scenarios
    cells = (
        f"{turn.title}{expected}{because}",
        area.readers,
        area.writers,
        ", ".join(names) if len(names) <= _NAMED else f"{len(names)} scenarios",
        str(len(area.cells)),
    )
    return f"| {' | '.join(map(escape, cells))} |"


def escape(text: str) -> str:
    """Make text harmless inside a cell of a Markdown table, whatever a checkpoint put into it."""
    return plain(" ".join(text.split())).translate(_ESCAPES)
