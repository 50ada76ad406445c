"""Taking a pasted text apart: frames, exceptions, log lines, versions; whatever shape it has.

Understood are Python's own tracebacks (every version), those of Jupyter and of rich, each with the
prefixes that launchers and loggers put before every line, and fragments of them in any order.
"""

import re
from dataclasses import dataclass, field

TEXT_LIMIT = 16 << 20
"""Characters that are looked at, from the end of the text, where the failure is."""
MESSAGE_LINES = 60
"""Lines of one exception's message that are kept."""


@dataclass(frozen=True)
class Frame:
    """One frame of a traceback."""

    path: str
    """File as the traceback gives it."""
    line: int
    """Line number, from 1."""
    function: str
    """Function, with or without its class; empty if not given."""
    code: str = ""
    """The line of code, stripped; empty if the traceback shows none."""


@dataclass(frozen=True)
class Failure:
    """One exception."""

    type: str
    """Class, without its module unless the traceback gives it."""
    message: str
    """Its text, all lines."""
    frames: tuple[Frame, ...] = ()
    """Outermost first, as far as the text shows them."""
    rank: int | None = None
    """Process that it came from, where a launcher says so."""


@dataclass(frozen=True)
class Trace:
    """Everything that was found in a text."""

    failures: tuple[Failure, ...]
    """In the order of the text; the last one ended the run."""
    lines: tuple[str, ...]
    """The text, cleaned of colours and prefixes, line by line."""
    versions: dict[str, str] = field(default_factory=dict)
    """Package -> version that the text itself mentions."""


_COLOURS = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_RANK = re.compile(r"^\s*\[(?:default|rank)?(\d+)\](?::)? ?|^\s*\(\w+, rank (\d+)\) ")
_STAMP = re.compile(
    r"^(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^ \]]*\]? |\d\d:\d\d:\d\d[^ ]* )?"
    r"(?:(?:INFO|WARNING|ERROR|DEBUG|CRITICAL)[ :|-]+)?"
)
_PYTHON = re.compile(r'^\s*File "?([^"]+?)"?, line (\d+)(?:, in (.+))?$')
_JUPYTER = re.compile(r"^\s*(?:File )?([^\s:]+\.py)(?::(\d+))?,? in ([\w.<>]+)(?:\(.*)?$")
_POINTED = re.compile(r"^\s*(?:-+>|❱)\s*(\d+)\s*[│|]?\s*(.*)$")
_RICH_FRAME = re.compile(r"^\s*(\S+\.py):(\d+) in ([\w.<>]+)\s*$")
_EXCEPTION = re.compile(
    r"^(?P<type>(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*"
    r"(?:Error|Exception|Warning|Interrupt|Exit|StopIteration))(?:: ?(?P<message>.*))?$"
)
_CARETS = re.compile(r"^[\s~^]+$")
_FRESH = re.compile(
    r"^\s*(?:Traceback \(most recent|During handling of the above|The above exception was)"
)
_VERSION = r"v?(\d+\.\d+(?:\.\d+)?(?:\.?(?:rc|post|dev)\d+)?(?:\+\w+)?)"
_MENTIONS = {
    package: re.compile(
        rf"\b{spelled}(?:==|-|\s+version:?\s*|\s*[:@]\s*|\s+){_VERSION}(?!\d)", re.IGNORECASE
    )
    for package, spelled in {
        "accelerate": "accelerate",
        "torch": "(?:py)?torch",
        "numpy": "numpy",
        "safetensors": "safetensors",
    }.items()
}
_PIP_SHOW = re.compile(r"^Name: (accelerate|torch|numpy|safetensors)$")


def read_trace(text: str) -> Trace:
    """Find frames, exceptions and versions in a text.

    Args:
        text: a traceback, a log, or any part of one; of a longer one its last `TEXT_LIMIT`
            characters.
    """
    lines: list[str] = []
    ranks: list[int | None] = []
    for raw in text[-TEXT_LIMIT:].splitlines():
        line = _COLOURS.sub("", raw).rstrip().rpartition("\r")[2]
        line = line.strip("│ ") if line.lstrip().startswith("│") else line
        match = _RANK.match(line)
        ranks.append(int(match[1] or match[2]) if match and len(match[0]) < 24 else None)
        lines.append(line[match.end() :] if match else line)
    return Trace(tuple(_failures(lines, ranks)), tuple(lines), _versions(lines))


def _failures(lines: list[str], ranks: list[int | None]) -> list[Failure]:
    """Gather frames until an exception ends them; frames that follow it, unended, are its too."""
    found: list[Failure] = []
    frames: list[Frame] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if _FRESH.match(line) or "Traceback (most recent call last)" in line:
            frames = []
            at += 1
            continue
        frame, used = _frame(lines, at)
        if frame is not None:
            frames.append(frame)
            at += used
            continue
        bare = line.strip() if frames else _STAMP.sub("", line, count=1)
        match = _EXCEPTION.match(bare)
        if match is None:
            at += 1
            continue
        message, used = _message(lines, at, match["message"] or "")
        found.append(Failure(match["type"], message, tuple(frames), ranks[at]))
        frames = []
        at += used
    if frames and found and not found[-1].frames:
        last = found[-1]
        found[-1] = Failure(last.type, last.message, tuple(frames), last.rank)
    elif frames:
        found.append(Failure("", "", tuple(frames)))
    return found


def _frame(lines: list[str], at: int) -> tuple[Frame | None, int]:
    """The frame that begins at a line, and how many lines it takes."""
    line = lines[at]
    following = lines[at + 1] if at + 1 < len(lines) else ""
    if match := _PYTHON.match(line):
        function = (match[3] or "").strip()
        code = following.strip()
        shown = bool(code) and not (
            _PYTHON.match(following)
            or _EXCEPTION.match(code)
            or _FRESH.match(following)
            or _CARETS.match(following)
        )
        return Frame(match[1], int(match[2]), function, code if shown else ""), 1 + shown
    if match := _RICH_FRAME.match(line):
        code, used = _pointed(lines, at + 1, int(match[2]))
        return Frame(match[1], int(match[2]), match[3], code), 1 + used
    if (match := _JUPYTER.match(line)) and ("File " in line or "(" in line):
        number = int(match[2]) if match[2] else 0
        code, used = _pointed(lines, at + 1, number)
        if not number:
            pointed = _POINTED.match(lines[at + used]) if used else None
            number = int(pointed[1]) if pointed else 0
        if number:
            return Frame(match[1], number, match[3], code), 1 + used
    return None, 0


def _pointed(lines: list[str], start: int, number: int) -> tuple[str, int]:
    """The line with an arrow among the next ones, and how many lines were passed to reach it."""
    for offset, line in enumerate(lines[start : start + 12]):
        match = _POINTED.match(line)
        if match and number in (0, int(match[1])):
            return match[2].strip("│ "), offset + 1
        if _RICH_FRAME.match(line) or _PYTHON.match(line):
            break
    return "", 0


def _message(lines: list[str], at: int, first: str) -> tuple[str, int]:
    """An exception's text with the lines that continue it."""
    parts = [first]
    for line in lines[at + 1 : at + MESSAGE_LINES]:
        bare = line.strip()
        if (
            _FRESH.match(line)
            or _PYTHON.match(line)
            or _RICH_FRAME.match(line)
            or _EXCEPTION.match(bare)
            or bare.startswith("Traceback (most recent")
        ):
            break
        parts.append(line)
    return "\n".join(parts).strip(), max(1, len(parts))


def _versions(lines: list[str]) -> dict[str, str]:
    """Versions that the text mentions, `pip show` and `pip freeze` among them; the last wins."""
    found: dict[str, str] = {}
    for at, line in enumerate(lines):
        if (match := _PIP_SHOW.match(line)) and at + 1 < len(lines):
            version = lines[at + 1].removeprefix("Version: ").strip()
            if re.fullmatch(_VERSION, version):
                found[match[1]] = version
            continue
        if _PYTHON.match(line) or len(line) > 1000:
            continue
        for package, pattern in _MENTIONS.items():
            if mention := pattern.search(line):
                found[package] = mention[1]
    return found
