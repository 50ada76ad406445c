"""A diagnosis as text for a terminal, and as a value for JSON."""

from typing import Any

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from ckptmatrix.checkpoint.explain.catalogue import catalogue
from ckptmatrix.checkpoint.explain.diagnosis import Diagnosis, Located
from ckptmatrix.checkpoint.explain.lines import in_words
from ckptmatrix.checkpoint.inspect.console import clean

_MARKS = {"shown": "✔ this is it", "possible": "? possible", "ruled out": "✘ ruled out"}


def show(found: tuple[Diagnosis, ...], console: Console) -> None:
    """Print the first diagnosis in full, those of known others after it."""
    for number, one in enumerate(one for one in found if one.modes or one is found[0]):
        if number:
            console.print(Text("\nAlso in this text", style="bold cyan"))
        _show_one(one, console)


def _show_one(one: Diagnosis, console: Console) -> None:
    if one.failure is not None:
        first = one.failure.message.partition("\n")[0]
        console.print(Text(clean(": ".join(filter(None, (one.failure.type, first)))), style="bold"))
    else:
        console.print(Text(clean(one.line), style="bold"))
    if one.located:
        console.print(Text(_release_line(one)))
        for located in one.located:
            console.print(Padding(Text(_frame_line(located), style="dim"), (0, 0, 0, 2)))
    mode = one.mode
    if mode is None:
        console.print(Text(_honest(one)))
        return
    _section(console, mode.title, mode.explanation)
    console.print(Text("Causes", style="bold cyan"))
    for weighed in one.causes:
        mark = _MARKS[weighed.verdict]
        because = f" ({weighed.because})" if weighed.because else ""
        console.print(Text(f"  {mark}: {weighed.cause.title}{clean(because)}", style="bold"))
        if weighed.verdict != "ruled out":
            console.print(Padding(Text(f"how to tell: {weighed.cause.tell}"), (0, 0, 0, 6)))
            if not one.remedy:
                console.print(Padding(Text(f"remedy: {weighed.cause.remedy}"), (0, 0, 0, 6)))
    if one.remedy:
        _section(console, "What to do", one.remedy)
    if mode.links:
        _section(console, "Upstream", "\n".join(mode.links))


def _section(console: Console, title: str, body: str) -> None:
    console.print(Text(title, style="bold cyan"))
    console.print(Padding(Text(body), (0, 0, 0, 2)))


def _release_line(one: Diagnosis) -> str:
    if one.releases:
        return (
            f"accelerate {in_words(one.releases)}: that code is at those lines in no other release."
        )
    return "No release of accelerate has that code at those lines; the files may have been edited."


def _frame_line(located: Located) -> str:
    frame, match = located.frame, located.match
    name = frame.path.replace("\\", "/").rpartition("accelerate/")[2]
    place = clean(f"accelerate/{name}, line {frame.line}, in {frame.function}")
    if match.by == "code":
        return f"{place}: {in_words(match.releases)}"
    if match.by == "function":
        return f"{place}: lies in that function in {in_words(match.releases)}"
    if match.elsewhere:
        near = ", ".join(f"line {line} in {v}" for v, line in list(match.elsewhere.items())[:3])
        return f"{place}: no release; the same code is {near}"
    return f"{place}: no release"


def _honest(one: Diagnosis) -> str:
    known = f"{len(catalogue())} failure modes are known here, and this is none of them."
    if one.located:
        return f"{known} The releases above are all that can be told."
    return f"{known} No line of it lies in accelerate's save or load path."


def as_json(found: tuple[Diagnosis, ...]) -> dict[str, Any]:
    """A value for `--json`; `known` says whether anything was recognised."""
    return {
        "known": any(one.modes for one in found),
        "diagnoses": [
            {
                "mode": one.modes[0] if one.modes else None,
                "title": one.mode.title if one.mode else None,
                "explanation": one.mode.explanation if one.mode else None,
                "links": one.mode.links if one.mode else [],
                "remedy": one.remedy,
                **msgspec.to_builtins(one),
            }
            for one in found
        ],
    }
