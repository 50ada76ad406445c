"""What a checkpoint or an exception says is shown without anything that a terminal obeys."""

import pytest

from ckptmatrix.util.terminal_text import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two options, \x1b[1mdo those\x1b[0m only", "two options, do those only"),
        ("\x1b[38;5;196mred\x1b[m", "red"),
        ("\x1b]0;title\x07said", "]0;titlesaid"),
        ("a\rb\x08c\x00d\x9be", "abcde"),
        ("line\n\tkept ≠ ✓ 中", "line\n\tkept ≠ ✓ 中"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(text: str, shown: str) -> None:
    assert plain(text) == shown
