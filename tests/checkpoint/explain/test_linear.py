"""A log twice as long costs twice as much: counted, not timed.

Counted are the calls of functions, Python's and C's, and the length of each text or list that a
method of it looks through. What one call of a regular expression does is not seen;
`docs/reliability.md` has the seconds.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from tests.checkpoint.explain.corpus import Input, examples

LINES = 800
"""Of the shortest log."""
TOO_MUCH = 2.2
"""How many times as much a further part may cost as one half as long before it: twice, for work by
the length; four times, by its square."""
HEADER = "Traceback (most recent call last):\n"
FRAME = '  File "a.py", line 1, in f\n    x\n'
CHAIN = f"{HEADER}{FRAME}KeyError: 1\n\nDuring handling of the above "
LOGS: dict[str, Callable[[int], str]] = {
    "headers": lambda lines: HEADER * lines,
    "prefixes": lambda lines: "".join(f"host{n}x: {HEADER}" for n in range(lines)),
    "chains": lambda lines: (CHAIN + "exception, another exception occurred:\n\n") * (lines // 6),
    "frames": lambda lines: HEADER + FRAME * (lines // 2),
    "exceptions": lambda lines: "ValueError: x\n" * lines,
    "different exceptions": lambda lines: "".join(f"ValueError: {n:b}\n" for n in range(lines)),
    "many classes": lambda lines: "".join(f"A{'b' * (n % 97)}Error: {n}\n" for n in range(lines)),
    "rows": lambda lines: "│ x │\n" * lines,
    "pins": lambda lines: "torch 2.6.0\n" * lines,
    "different pins": lambda lines: "".join(f"torch==2.{n}.0\n" for n in range(lines)),
    "wrapped": lambda lines: "      INFO     a\n" + "               b\n" * lines,
    "a message": lambda lines: HEADER + FRAME + "ValueError: a\n" + "and more of it\n" * lines,
    "arrows": lambda lines: "----> 1 x\n" * (lines // 2) + "File a.py in f(x)\n" * (lines // 2),
    "ranks": lambda lines: "".join(f"[rank{n % 64}]: {HEADER}" for n in range(lines)),
    "steps": lambda lines: "".join(f"step {n} loss 0.25\n" for n in range(lines)),
    "one line": lambda lines: "a.py: Error 'x' " * lines,
}


READING = ("count", "find", "index", "rfind", "rindex", "replace", "split", "splitlines", "lower")
"""Methods of texts and lists that look at all of them."""


class Work:
    """What was done."""

    def __init__(self) -> None:
        self.done = 0

    def seen(self, _: FrameType, event: str, callee: object) -> None:
        if event == "call":
            self.done += 1
        elif event == "c_call":
            of = getattr(callee, "__self__", None)
            looks = isinstance(of, str | list) and getattr(callee, "__name__", "") in READING
            self.done += 1 + (len(of) // 100 if looks and of else 0)


@contextmanager
def counted() -> Iterator[Work]:
    work = Work()
    sys.setprofile(work.seen)
    try:
        yield work
    finally:
        sys.setprofile(None)


def cost(text: str) -> int:
    with counted() as work:
        diagnose(text)
    return work.done


def growth(log: Callable[[int], str]) -> float:
    """How many times as much the second half of a log costs as the second quarter."""
    diagnose(log(LINES))  # what is read and kept once
    quarter, half, whole = (cost(log(lines)) for lines in (LINES, 2 * LINES, 4 * LINES))
    return (whole - half) / max(half - quarter, 500)


@pytest.mark.parametrize("name", LOGS)
def test_made_up_logs(name: str) -> None:
    assert growth(LOGS[name]) < TOO_MUCH


def repeated(text: str) -> Callable[[int], str]:
    own = len(text.splitlines())
    return lambda lines: f"{text}\n" * max(1, lines // own)


@pytest.mark.parametrize("one", examples(), ids=lambda one: one.name)
def test_texts_of_failures_again_and_again(one: Input) -> None:
    assert growth(repeated(one.text)) < TOO_MUCH


def test_the_measure_sees_a_square() -> None:
    def quadratic(text: str) -> int:
        with counted() as work:
            for match in re.finditer(r"\n", text):
                text.find("never there", match.end())
        return work.done

    log = LOGS["steps"]
    quarter, half, whole = (quadratic(log(lines)) for lines in (LINES, 2 * LINES, 4 * LINES))
    assert (whole - half) / (half - quarter) > TOO_MUCH
