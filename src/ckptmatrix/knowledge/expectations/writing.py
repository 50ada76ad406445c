"""The text of `expectations.toml`: one form for each thing, comments where they were."""

from collections.abc import Iterator

import msgspec

from ckptmatrix.knowledge.expectations.expectation import ExpectedRegion
from ckptmatrix.knowledge.expectations.reading import ExpectationsFile, ExpectationTable

_KEYS = ("cause", "status", "message", "reason", "link", "expires")


def text_of(file: ExpectationsFile) -> str:
    """Return the text of a file."""
    return "\n".join([file.head, *(line for table in file.tables for line in _table(table))])


def _table(table: ExpectationTable) -> Iterator[str]:
    def beside(key: str, text: str) -> str:
        return f"{text}  {table.beside[key]}" if key in table.beside else text

    yield from table.above
    yield beside("", "[[expectation]]")
    for key in _KEYS:
        value = getattr(table.entry, key)
        if value:
            said = quoted(value) if isinstance(value, str) else str(value)
            yield beside(key, f"{key} = {said}")
    yield beside("cells", "cells = [")
    for line in table.lines:
        yield from (f"    {comment}" for comment in line.above)
        yield f"    {_region(line.region)}," + (f"  {line.beside}" if line.beside else "")
    yield from (f"    {comment}" for comment in table.below)
    yield "]"
    yield ""


def _region(region: ExpectedRegion) -> str:
    """A region as an inline table; what is as by default is left out."""
    default = ExpectedRegion()
    parts = [
        f"{key} = {_value(value)}"
        for key in region.__struct_fields__
        if (value := getattr(region, key)) != getattr(default, key)
    ]
    return f"{{ {', '.join(parts)} }}" if parts else "{}"


def _value(value: str | tuple[str, ...]) -> str:
    if isinstance(value, str):
        return quoted(value)
    return quoted(value[0]) if len(value) == 1 else f"[{', '.join(map(quoted, value))}]"


def quoted(text: str) -> str:
    """Return a text as a TOML string on one line, with as little to escape as possible."""
    if all(sign >= " " and sign != "\x7f" for sign in text):
        if not set(text) & set('"\\'):
            return f'"{text}"'
        if "'" not in text:
            return f"'{text}'"
        if "'''" not in text and not text.endswith("'"):
            return f"'''{text}'''"
    # The escapes of JSON are among those of TOML, which wants one more sign escaped.
    return msgspec.json.encode(text).decode().replace("\x7f", "\\u007f")
