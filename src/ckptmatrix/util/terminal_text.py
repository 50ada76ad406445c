"""Texts out of a checkpoint, a log or an exception, made fit to be shown: the one place for it.

What a terminal, a page or a reader would obey becomes visible instead: control characters, marks
that turn the direction of writing, bytes of file names that are no UTF-8.
"""

import re
from typing import Any

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_OBEYED = (
    *range(32),
    *range(127, 160),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029, 0xFEFF),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
)
_VISIBLE = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in _OBEYED}
_IN_LINES = {code: shown for code, shown in _VISIBLE.items() if chr(code) not in "\n\t"}


def plain(text: str) -> str:
    """Take colours out, which torch puts into messages; what else would be obeyed becomes visible.

    Tabs and line ends stay.
    """
    return clean_lines(_COLOURS.sub("", text.replace("\r\n", "\n")))


def clean(text: str, limit: int = 300) -> str:
    """One line of text, without anything that a terminal would obey, of bounded length."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    return _encodable(shown.translate(_VISIBLE))


def clean_lines(text: str) -> str:
    """The same for a text of several lines, of any length."""
    return _encodable(text.translate(_IN_LINES))


def clean_value(value: Any) -> Any:
    """The same for every text in a value of JSON, keys included."""
    if isinstance(value, str):
        return clean_lines(value)
    if isinstance(value, dict):
        return {clean_value(key): clean_value(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [clean_value(member) for member in value]
    return value


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
