"""The corpus of texts that `explain` is tried on, and what is right for each.

`examples/MODE/CASE--VERSIONS.txt` were raised by `tools/raise_failures.py` in the environment that
the name tells, `CASE--quoted.txt` are messages of failures that need GPUs or other libraries.
`expected.toml` says which cause each shows. `near_misses.toml` has a text for each mode that looks
like it and is not. `reported/RIGHT__CASE.txt` are public reports, typed anew and shortened.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ckptmatrix.checkpoint.explain.answers import Answer
from ckptmatrix.checkpoint.explain.traces import read_trace
from tests.checkpoint.explain.layouts import LAYOUTS

HERE = Path(__file__).parent
LOGGED = ("bitsandbytes-state",)
"""Modes that a line of the log shows, whatever exception follows."""
FILES = sorted(HERE.glob("examples/*/*.txt"))


@dataclass(frozen=True)
class Input:
    """One text with what is right for it."""

    name: str
    """What it is, for the test's id."""
    text: str
    """The text itself."""
    mode: str
    """The mode that is right; empty if none is."""
    answer: Answer
    """The answer that is right."""
    causes: tuple[str, ...] = ()
    """Causes that it shows, where it shows any."""


def name_of(file: Path) -> str:
    """`MODE/CASE--VERSIONS`."""
    return f"{file.parent.name}/{file.stem}"


@cache
def examples() -> tuple[Input, ...]:
    """Every example as it is."""
    shown = tomllib.loads((HERE / "expected.toml").read_text())
    return tuple(
        Input(
            name_of(file),
            file.read_text(),
            file.parent.name,
            Answer.KNOWN,
            tuple(shown.get(name_of(file), ())),
        )
        for file in FILES
    )


@cache
def in_layouts() -> tuple[Input, ...]:
    """Every example whose exception has frames, in every layout."""
    found = []
    for one in examples():
        failure = next((f for f in reversed(read_trace(one.text).failures) if f.frames), None)
        if one.mode in LOGGED or failure is None or not all(frame.code for frame in failure.frames):
            continue
        found += [
            Input(f"{one.name} as {name}", layout(failure), one.mode, Answer.KNOWN)
            for name, layout in LAYOUTS.items()
        ]
    return tuple(found)


@cache
def reported() -> tuple[Input, ...]:
    """Texts that people pasted, with all that a log and a clipboard did to them."""
    found = []
    for file in sorted(HERE.glob("reported/*.txt")):
        right = file.name.partition("__")[0]
        known = right not in ("unknown", "undecided")
        answer = Answer.KNOWN if known else Answer(right)
        found.append(Input(file.stem, file.read_text(), right if known else "", answer))
    return tuple(found)


@cache
def near_misses() -> tuple[Input, ...]:
    """For each mode a text that is not it."""
    entries = tomllib.loads((HERE / "near_misses.toml").read_text())
    return tuple(
        Input(f"not {id_}", entry["text"], entry.get("mode", ""), Answer(entry["answer"]))
        for id_, entry in entries.items()
    )
