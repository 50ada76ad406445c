"""Text in a terminal: long lines wrap, and stay under their label."""

import re
import shutil
import textwrap

WIDTH = 100
"""Columns where the output is no terminal; of a wider one no more are used."""


def labelled(label: str, text: str, indent: int = 2, width: int = 16) -> str:
    """Give a line whose text wraps beside its label.

    Args:
        label: what the text is about; may be empty.
        text: as long as it likes.
        indent: columns before the label.
        width: columns of the label.
    """
    columns = _columns()
    head = f"{' ' * indent}{label:{width}} "
    return textwrap.fill(
        text,
        width=max(columns, len(head) + 20),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def wrapped(text: str) -> str:
    """Wrap each line between words; what follows stays under it, two columns further in.

    What stands between backticks is to be copied, so it is not taken apart.
    """
    return "\n".join(map(_wrapped_line, text.split("\n")))


_COPIED = re.compile(r"`[^`]*`")
_BLANK = "\N{NO-BREAK SPACE}"


def _wrapped_line(line: str) -> str:
    columns = _columns()
    if len(line) <= columns:
        return line
    indent = line[: len(line) - len(line.lstrip(" "))]
    whole = _COPIED.sub(lambda found: found[0].replace(" ", _BLANK), line)
    return textwrap.fill(
        whole,
        width=columns,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    ).replace(_BLANK, " ")


def _columns() -> int:
    return min(shutil.get_terminal_size((WIDTH, 0)).columns, WIDTH)
