"""Tracebacks of a text: exceptions with their frames, and which of them led to which.

Understood are the layouts of `frames`, fragments of them in any order, and the tracebacks of
several processes that wrote into one log at the same time.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from ckptmatrix.checkpoint.explain.failures import Failure, Link, Trace
from ckptmatrix.checkpoint.explain.frames import Frame, box_at, frame_at, is_carets, is_head
from ckptmatrix.checkpoint.explain.text import Line, clean_lines
from ckptmatrix.checkpoint.explain.versions import versions_in

MESSAGE_LINES = 60
"""Lines of one exception's message that are kept."""
FRAMES_LIMIT = 400
"""Frames of one exception that are kept at least, half of them from its beginning and half from its
end; a recursion has thousands alike."""

_EXCEPTION = re.compile(
    r"^(?P<type>(?:[A-Za-z_]\w{0,80}\.){0,12}(?:Exception|BadZipFile|[A-Za-z_]\w{0,80}?"
    r"(?:Error|Exception|Interrupt|Exit|StopIteration|Expired)))(?::(?: (?P<message>.*)|$)|$)"
)
_ANY_CLASS = re.compile(
    r"^(?P<type>(?:[A-Za-z_]\w{0,80}\.){0,12}[A-Z]\w{0,80}[a-z]\w{0,80})"
    r"(?::(?: (?P<message>.*)|$)|$)"
)
"""Right below a frame's code any class is an exception."""
_LOGGED = re.compile(
    r"^(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^ \]]{0,12}\]? |\d\d:\d\d:\d\d[^ ]{0,8} )?"
    r"(?:(?:- )?(?:\[?(?:INFO|WARNING|ERROR|DEBUG|CRITICAL)\]?[ :|-]{1,4}))?"
    r"(?:[\w.]{1,80}(?: - |: ?))?"
)
_ENDS_MESSAGE = re.compile(
    r"^\s*(?:Traceback \(most|During handling of|The above exception was|[╭│╰]|\[?\d{4}-\d\d-\d\d)"
    r"|^(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\b|^\S+==\d|\d+%\||^```"
)
_HEADER = "Traceback (most recent call last)"
_LINKS = {
    "The above exception was the direct cause of": Link.CAUSE,
    "During handling of the above exception": Link.HANDLING,
}
_OF_INTEREST = (
    *(
        "rror",
        ".py",
        'File "',
        "xception",
        "Traceback",
        "Interrupt",
        "Exit",
        "StopIter",
        "Expired",
        "BadZip",
    ),
    *("│", "In [", "In[", "<ipython"),
)
"""Words without which a line begins nothing; asking for them is quicker than the patterns."""
_PYTEST_ERROR = re.compile(r"^E(?: {3,}(?P<rest>.*))?$")


def read_trace(text: str) -> Trace:
    """Find frames, exceptions and versions in a text.

    Args:
        text: a traceback, a log, or any part of one.
    """
    lines = clean_lines(text)
    cleaned = "\n".join(line.text for line in lines)
    words = [word for word in _OF_INTEREST if word in cleaned]
    chains = [chain for stream in _streams(lines) for chain in _Reader(words, *stream).read()]
    chains.sort(key=lambda item: item[0])  # in the order of the text
    return Trace(
        tuple(chain for _, chain in chains), cleaned, versions_in([line.text for line in lines])
    )


def _unquoted(line: str) -> str:
    """A line without the backticks around the code that it is, or ends."""
    if "`" not in line or (line.count("`") % 2 == 0 and not (line[0] == line[-1] == "`")):
        return line
    return line.strip("`")


def _streams(lines: list[Line]) -> Iterator[tuple[list[str], list[int], int | None]]:
    """The lines of each process with their numbers, so that interleaved tracebacks come apart."""
    by_stream: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        by_stream.setdefault(line.stream, []).append(number)
    for stream, numbers in by_stream.items():
        word, _, rank = stream.partition(" ")
        yield [lines[n].text for n in numbers], numbers, int(rank) if word == "rank" else None


class _Reader:
    """Gathers frames until an exception ends them; frames that follow one, unended, are its too."""

    def __init__(
        self, words: list[str], lines: list[str], numbers: list[int], rank: int | None
    ) -> None:
        self.words = words
        self.lines = lines
        self.numbers = numbers
        self.rank = rank
        self.frames: list[Frame] = []
        self.chains: list[tuple[int, list[Failure]]] = []
        self.link = Link.NONE
        self.below_frame = False
        """Whether the line before this one was a frame or its code."""

    def read(self) -> list[tuple[int, tuple[Failure, ...]]]:
        """Every chain with the number of the line at which it ends."""
        at = 0
        while at < len(self.lines):
            line = self.lines[at]
            if not self.below_frame and not any(word in line for word in self.words):
                at += 1
                continue
            at += self._header(line) or self._frame(at) or self._exception(at) or self._pass(line)
        if self.frames:
            self._unended()
        return [(number, tuple(chain)) for number, chain in self.chains]

    def _pass(self, line: str) -> int:
        self.below_frame = self.below_frame and (is_carets(line) or line.startswith("    "))
        return 1

    def _header(self, line: str) -> int:
        for words, link in _LINKS.items():
            if words in line and self.chains:
                self.link, self.frames = link, []
                return 1
        if _HEADER in line:
            self.frames, self.below_frame = [], False
            return 1
        return 0

    def _frame(self, at: int) -> int:
        taken = box_at(self.lines, at) or frame_at(self.lines, at)
        if taken is None:
            return 0
        if taken.frames:
            self.frames.extend(taken.frames)
            self.below_frame = True
        if len(self.frames) > 2 * FRAMES_LIMIT:
            del self.frames[FRAMES_LIMIT // 2 : -FRAMES_LIMIT // 2]
        return taken.lines

    def _exception(self, at: int) -> int:
        line = self.lines[at]
        pytest = _PYTEST_ERROR.match(line)
        bare = _unquoted(pytest["rest"] or "" if pytest else line.strip())
        match = _EXCEPTION.match(bare)
        if match is None and self.below_frame and not line.startswith(" "):
            match = _ANY_CLASS.match(bare)
        if match is None and not self.frames:
            match = _EXCEPTION.match(bare[_LOGGED.match(bare).end() :])  # type: ignore[union-attr]  # it can be empty, so it always matches
        if match is None:
            return 0
        first = match["message"] or ""
        parts = [first, *self._more(at + 1, first, pytest is not None)]
        message = "\n".join(parts).strip()
        failure = Failure(match["type"], message, tuple(self.frames), self.rank, self.link)
        self.below_frame, self.frames = False, []
        used = len(parts)
        if pytest and (ending := self._place_below(at + used)):
            failure = replace(failure, frames=(*failure.frames, ending[0]))
            used += ending[1]
        if self.link:
            self.chains[-1][1].append(failure)
            self.chains[-1] = (self.numbers[at], self.chains[-1][1])
        else:
            self.chains.append((self.numbers[at], [failure]))
        self.link = Link.NONE
        return used

    def _place_below(self, at: int) -> tuple[Frame, int] | None:
        """Where pytest's longer layout says, below the message, that it was raised, and the lines
        up to there."""
        for offset in range(at, min(at + 3, len(self.lines))):
            if taken := frame_at(self.lines, offset):
                return taken.frames[0], offset - at + taken.lines
        return None

    def _more(self, start: int, first: str, pytest: bool) -> Iterator[str]:
        """The lines that continue a message; blank ones do after a colon and at its beginning."""
        last = first.strip()
        for at in range(start, min(start + MESSAGE_LINES, len(self.lines))):
            line = self.lines[at]
            if pytest:
                match = _PYTEST_ERROR.match(line)
                if match is None:
                    return
                line = match["rest"] or ""
            bare = line.strip()
            if is_head(line) or _ENDS_MESSAGE.search(line) or _EXCEPTION.match(bare):
                return
            if not bare and last and not last.endswith(":"):
                return
            last = bare or last
            yield line

    def _unended(self) -> None:
        """Frames without an exception after them: those of one before them, or a cropped text."""
        at = self.numbers[-1]
        if self.chains and not self.chains[-1][1][-1].frames:
            last = self.chains[-1][1][-1]
            self.chains[-1][1][-1] = replace(last, frames=tuple(self.frames))
        else:
            self.chains.append((at, [Failure("", "", tuple(self.frames), self.rank, self.link)]))
