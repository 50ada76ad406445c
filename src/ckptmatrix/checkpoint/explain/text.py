"""A pasted text as clean lines: without escapes, without what launchers put before every line.

Log lines that rich wrapped over several rows of the terminal are joined again.
"""

import re
from typing import NamedTuple

LINE_LIMIT = 8000
"""Characters of one line that are looked at: three quarters of them from its beginning."""
PREFIX_LIMIT = 16
"""Different prefixes of one text that are recognised."""

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles and links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours and movements
    r"|\x1b[ -/]*[0-~]?"
)
_NAKED_COLOURS = re.compile(r"\[\d{1,3}(?:;\d{1,3}){0,4}m")
"""Colours whose escape character was lost on the way through a clipboard."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINKS = re.compile(r"\[([^\]\[\n]{1,500})\]\((?:https?|file|vscode)[^)\n]{0,500}\)")
"""File names that Colab, Kaggle and editors make clickable."""

_RANK = re.compile(
    r"\s{0,8}(?:"
    r"\[(?:rank|default)(?P<bracketed>\d{1,5})\]:? ?"
    r"|\[(?P<numbered>\d{1,5})\]: ?"
    r"|\[\d+,(?P<mpi>\d{1,5})\]<std(?:err|out)>: ?"
    r"|\(\w+, rank (?P<named>\d{1,5})\) "
    r"|\((?:\w+ )?pid=(?P<pid>\d+)(?:, ip=[\d.]+)?\) ?"
    r")"
)
_HEADER = "Traceback (most recent call last)"
_IN_PREFIX = re.compile(r"(?:rank|worker|trainer|local_rank)[-_ ]?(\d{1,5})|^\s*\[?(\d{1,5})\]?: $")
_DRAWN = re.compile(r"^\s*[╭┌+]|^[\w.]{1,100}(?:Error|Exception|Exit|Interrupt) *$")
"""What stands before the header where it is a title: of rich's box, or Jupyter's with the class."""

_LEVEL = re.compile(
    r"(?:\[?\d[\d/:\-., T]{5,30}\]?[ ]+|[ ]{4,40})(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)[ ]+(?=\S)"
)
_PLACE = re.compile(r"[ ]\w[\w.]{0,60}\.py:\d{1,6}$")


class Line(NamedTuple):
    """One line of a text."""

    text: str
    """Without escapes and prefixes, trailing blanks removed."""
    stream: str = ""
    """The process that wrote it, such as `rank 3`; empty if no prefix says so."""


def clean_lines(text: str) -> list[Line]:
    """Take a text apart.

    Args:
        text: anything; control characters and escapes are removed.

    Returns:
        Its lines in order.
    """
    if "\x1b" in text or "\x9b" in text:
        text = _ESCAPES.sub("", text)
    if "[0m" in text:
        text = _NAKED_COLOURS.sub("", text)
    if _CONTROLS.search(text):
        text = _CONTROLS.sub("", text)
    if "](" in text:
        text = _LINKS.sub(r"\1", text)
    if "\\n  File" in text:  # a log of JSON values
        text = text.replace("\\n", "\n").replace('\\"', '"')
    return _joined(_without_prefixes([_shortened(line) for line in text.split("\n")]))


def _shortened(line: str) -> str:
    """What a terminal shows of a line in the end, without trailing blanks, no longer than kept."""
    line = line.rstrip()
    if "\r" in line:
        line = line.rpartition("\r")[2]
    if len(line) <= LINE_LIMIT:
        return line
    return f"{line[: LINE_LIMIT * 3 // 4]} … {line[-LINE_LIMIT // 4 :]}"


def _without_prefixes(lines: list[str]) -> list[Line]:
    """Remove ranks of launchers, and whatever stands before a traceback's header and its lines."""
    prefixes = _prefixes(lines)
    found = []
    for line in lines:
        if not prefixes and line.lstrip(" ")[:1] not in ("[", "("):
            found.append(Line(line))
            continue
        stream = ""
        for _ in range(3):
            if match := _RANK.match(line):
                number = match["bracketed"] or match["numbered"] or match["mpi"] or match["named"]
                stream = f"rank {number}" if number else f"process {match['pid']}"
            else:
                match = next(filter(None, (prefix.match(line) for prefix in prefixes)), None)
                if match and (number := _number(match[0])):
                    stream = f"rank {number}"
            if not match:
                break
            line = line[match.end() :]
        found.append(Line(line, stream))
    return found


def _prefixes(lines: list[str]) -> list[re.Pattern[str]]:
    """Patterns of what stands before the headers of tracebacks, such as a container's name."""
    found: dict[str, re.Pattern[str]] = {}
    for line in lines:
        if _HEADER not in line and '  File "' not in line:
            continue
        at = max(line.find(_HEADER, 0, 300), line.find('  File "', 0, 300))
        before = line[:at] if at > 0 else ""
        if not before.strip() or _RANK.fullmatch(before) or _DRAWN.match(before):
            continue
        shape = re.sub(r"\d+", r"\\d+", re.escape(before))
        if shape not in found and len(found) < PREFIX_LIMIT:
            found[shape] = re.compile(shape)
    return list(found.values())


def _number(prefix: str) -> str:
    match = _IN_PREFIX.search(prefix)
    return (match[1] or match[2]) if match else ""


def _joined(lines: list[Line]) -> list[Line]:
    """Join what rich's log handler wrapped: the rest of a message stands below its beginning."""
    found: list[Line] = []
    column = 0
    for line in lines:
        text = line.text
        if match := _LEVEL.match(text):
            column = match.end()
            found.append(line._replace(text=_without_place(text)))
        elif column and text[column : column + 1] not in ("", " ") and text[:column].isspace():
            last = found[-1]
            if len(last.text) < LINE_LIMIT:
                found[-1] = last._replace(text=f"{last.text} {text.strip()}")
        else:
            column = 0
            found.append(line)
    return found


def _without_place(line: str) -> str:
    """A log line without the file and line that rich's handler puts at its right end."""
    if ".py:" not in line[-12:]:
        return line
    start = max(0, len(line) - 80)
    return line[:start] + _PLACE.sub("", line[start:]).rstrip()
