"""What a checkpoint or an exception says is shown without anything that a terminal obeys."""

import pytest

from ckptmatrix.util.terminal_text import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two options, \x1b[1mdo those\x1b[0m only", "two options, do those only"),
        ("\x1b[38;5;196mred\x1b[m", "red"),
        ("\x1b]0;title\x07said", r"\x1b]0;title\x07said"),
        ("\x1b\x1b[0m[31mred", r"\x1b[31mred"),
        ("a\rb\x08c\x00d\x9be\u202ef", r"a\x0db\x08c\x00d\x9be\u202ef"),
        ("line\r\n\tkept ≠ ✓ 中", "line\n\tkept ≠ ✓ 中"),
        ("name-\udcff", r"name-\udcff"),
    ],
)
def test_colours_are_taken_out_and_what_else_would_be_obeyed_is_visible(
    text: str, shown: str
) -> None:
    assert plain(text) == shown
