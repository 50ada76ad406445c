"""One frame of a traceback, in the layouts of Python, pytest, Jupyter (Colab, Kaggle) and rich."""

import re
from dataclasses import dataclass

ARROW_REACH = 12
"""Lines below a frame's head in which the arrow to its line is looked for."""
HEAD_ROWS = 8
"""Rows over which rich or a terminal may have wrapped a frame's head."""


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
    cropped: bool = False
    """Whether the code may go on behind what is shown."""

    @property
    def place(self) -> str:
        """`path:function`, with forward slashes and without the class of a method."""
        return f"{self.path.replace(chr(92), '/')}:{self.function.rpartition('.')[2]}"


@dataclass(frozen=True)
class Taken:
    """What was read from some line on."""

    frames: tuple[Frame, ...]
    """Outermost first."""
    lines: int
    """How many lines it took."""


_PYTHON = re.compile(
    r'^\s*File "(?P<path>[^"]{1,1000})", line (?P<line>\d{1,9})(?:, in (?P<in>.+))?$'
)
_BROKEN_PYTHON = re.compile(r'^\s*File "[^"]{1,1000}(?:"|$)')
_PYTEST = re.compile(
    r"^(?P<path>(?:[\w/~.]|[A-Za-z]:).{0,500}\.py):(?P<line>\d{1,9}): in (?P<in>\S+)$"
)
_PYTEST_END = re.compile(
    r"^(?P<path>(?:[\w/~.]|[A-Za-z]:).{0,500}\.py):(?P<line>\d{1,9}):"
    r"(?: [\w.]*(?:Error|Exception)\w*)?$"
)
_JUPYTER = re.compile(
    r"^\s*(?:File )?(?P<path>\S.{0,500}?\.py|<ipython-input[^>]{1,80}>|(?:Cell|Input) In ?\[\d+\])"
    r"(?::(?P<line>\d{1,9}))?(?:,? in (?P<in>[\w.<>]+)(?:[(: ].*)?|, line (?P<cell>\d{1,9}))$"
)
_ARROW = re.compile(
    r"^\s*-{2,}> ?(?P<line>\d{1,9}) ?(?P<code>.*)$|^-> (?P<short>\d{1,9}) (?P<rest>.*)$"
)
_RICH_HEAD = re.compile(r"^\s*(?P<path>\S.{0,1000}?):(?P<line>\d{1,9}) in (?P<in>[\w.<>]+)$")
_RICH_CODE = re.compile(r"^ ?(?P<mark>[❱>]?) *(?P<line>\d{1,9}) [│|](?P<code>.*)$")
_ENDS = re.compile(r"^$|^[\w.]{1,120}(?:Error|Exception|Exit|Interrupt)\b|^\S+ (?:handling|above) ")
"""What follows a frame that shows no code."""
_CARETS = re.compile(r"^[\s~^]+$")


def frame_at(lines: list[str], at: int) -> Taken | None:
    """Read the frame whose head stands at a line; None if none does."""
    line = lines[at]
    if "File " in line and (taken := _python(lines, at)):
        return taken
    if ".py" in line or "In" in line or "<ipython" in line:
        return _pytest(lines, at) or _jupyter(lines, at) or _bare_rich(lines, at)
    return None


def is_head(line: str) -> bool:
    """Whether a frame begins at this line."""
    return bool(_PYTHON.match(line) or _PYTEST.match(line) or _JUPYTER.match(line))


def is_carets(line: str) -> bool:
    """Whether a line only points at a part of the code above it."""
    return bool(_CARETS.match(line))


def _python(lines: list[str], at: int) -> Taken | None:
    """Python's own layout; a terminal may have broken the head into several lines."""
    used, match = 1, _PYTHON.match(lines[at])
    if match is None and _BROKEN_PYTHON.match(lines[at]):
        for used in range(2, HEAD_ROWS + 1):
            rows = lines[at : at + used]
            match = _PYTHON.match("".join(rows)) or _PYTHON.match(" ".join(rows))
            if match is not None:
                break
    elif match is not None and not match["in"]:
        rows = lines[at : at + 2]  # `, in` alone may stand on the next line
        if len(rows) == 2 and (whole := _PYTHON.match(" ".join(rows))) and whole["in"]:
            used, match = 2, whole
    if match is None:
        return None
    following = lines[at + used] if at + used < len(lines) else ""
    flat = not lines[at].startswith(" ")  # a text that lost its indentation
    shown = (following.startswith(" ") or (flat and not _ENDS.match(following))) and not (
        is_head(following) or is_carets(following)
    )
    code = following.strip() if shown else ""
    frame = Frame(match["path"], int(match["line"]), (match["in"] or "").strip(), *_cropped(code))
    return Taken((frame,), used + shown)


def _pytest(lines: list[str], at: int) -> Taken | None:
    """pytest's layouts: `path:12: in f` with code below; `path:12:` below the whole function."""
    if match := _PYTEST.match(lines[at]):
        following = lines[at + 1] if at + 1 < len(lines) else ""
        shown = following.startswith("    ")
        code = following.strip() if shown else ""
        return Taken((Frame(match["path"], int(match["line"]), match["in"], code),), 1 + shown)
    match = _PYTEST_END.match(lines[at])
    if match is None:
        return None
    code = function = ""
    for line in reversed(lines[max(0, at - 200) : at]):
        if _PYTEST_END.match(line) or line.startswith("_ _"):
            break
        if not code and line.startswith(">"):
            code = line[1:].strip()
        if code and (found := re.match(r"\s*(?:async )?def (\w+)", line)):
            function = found[1]
            break
    return Taken((Frame(match["path"], int(match["line"]), function, code),), 1) if code else None


def _jupyter(lines: list[str], at: int) -> Taken | None:
    """Jupyter's layouts: a head with or without the line's number, an arrow to the line below."""
    match = _JUPYTER.match(lines[at])
    if match is None:
        return None
    number = int(match["line"] or match["cell"] or 0)
    for offset, line in enumerate(lines[at + 1 : at + 1 + ARROW_REACH]):
        arrow = _ARROW.match(line)
        if arrow is not None:
            found = int(arrow["line"] or arrow["short"])
            code = (arrow["code"] or arrow["rest"] or "").strip()
            frame = Frame(match["path"], found, match["in"] or "", *_cropped(code))
            return Taken((frame,), offset + 2)
        if is_head(line):
            break
    if not number:
        return None
    return Taken((Frame(match["path"], number, match["in"] or ""),), 1)


def _bare_rich(lines: list[str], at: int) -> Taken | None:
    """A head of rich's without the box around it, as some copy it."""
    match = _RICH_HEAD.match(lines[at])
    if match is None or not match["path"].endswith(".py"):
        return None
    for offset, line in enumerate(lines[at + 1 : at + 1 + ARROW_REACH]):
        row = _RICH_CODE.match(line)
        if row is not None and row["mark"] and int(row["line"]) == int(match["line"]):
            code = row["code"].lstrip("│| ").strip()
            frame = Frame(match["path"], int(match["line"]), match["in"], *_cropped(code))
            return Taken((frame,), offset + 2)
    return Taken((Frame(match["path"], int(match["line"]), match["in"]),), 1)


def box_at(lines: list[str], at: int) -> Taken | None:
    """Read every frame of rich's box whose first row stands at a line; None if none does."""
    rows: list[tuple[str, bool]] = []
    while at + len(rows) < len(lines) and (row := _row(lines[at + len(rows)])):
        rows.append(row)
    frames: list[Frame] = []
    head: list[tuple[str, bool]] = []
    number = 0
    for text, filled in rows:
        code = _RICH_CODE.match(text)
        if code is None:
            head = [*head[1 - HEAD_ROWS :], (text, filled)] if text.strip() else []
            if match := _whole_head(head):
                frames.append(Frame(match["path"], int(match["line"]), match["in"]))
                number, head = int(match["line"]), []
        elif frames and code["mark"] and int(code["line"]) == number:
            shown = code["code"].lstrip("│| ").strip()
            last = frames[-1]
            frames[-1] = Frame(last.path, last.line, last.function, _cropped(shown)[0], True)
    return Taken(tuple(frames), len(rows)) if rows else None


def _row(line: str) -> tuple[str, bool] | None:
    """What stands in a row of the box, and whether it reaches the right border."""
    bare = line.strip()
    if len(bare) < 4 or bare[0] not in "│|" or bare[-1] != bare[0]:
        return None
    inside = bare[1:-1].removeprefix(" ").removesuffix(" ")
    return inside.rstrip(), not inside.endswith(" ")


def _whole_head(rows: list[tuple[str, bool]]) -> re.Match[str] | None:
    """A head that rich wrapped: at a blank, or within a word that fills its row alone.

    Whether a word that fills its row ends there is not seen; the line's number does.
    """
    for ends in (r"$^", r":\d+$"):
        joined = ""
        for text, filled in ((text.strip(), filled) for text, filled in rows):
            folded = filled and " " not in text and not re.search(ends, text)
            joined += text if folded else f"{text} "
        if match := _RICH_HEAD.match(joined.strip()):
            return match
    return None


def _cropped(code: str) -> tuple[str, bool]:
    """Code without the dots that stand for its rest, and whether there were any."""
    bare = code.removesuffix("…").removesuffix("...")
    return bare.rstrip(), bare != code
