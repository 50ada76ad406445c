"""Diagnoses as text for a terminal of 80 columns: first what it is and what to do, then why."""

import textwrap

from rich.console import Console
from rich.text import Text

from ckptmatrix.checkpoint.explain.answers import Answer, Diagnosis
from ckptmatrix.checkpoint.explain.catalogue import catalogue
from ckptmatrix.checkpoint.explain.failures import Failure, Link
from ckptmatrix.checkpoint.explain.lines import By, in_words
from ckptmatrix.checkpoint.explain.origin import Located
from ckptmatrix.checkpoint.explain.weighing import Likelihood, Weighed
from ckptmatrix.util.terminal_text import clean

_MARKS = {
    Likelihood.SHOWN: "✔ this is it",
    Likelihood.POSSIBLE: "? possible",
    Likelihood.RULED_OUT: "✘ ruled out",
}
_OTHERS = 4
"""Further diagnoses that are shown; the rest is counted."""


def show(found: tuple[Diagnosis, ...], console: Console) -> None:
    """Print the first diagnosis in full, further ones that say something shortly after it."""
    _show_one(found[0], console)
    others = [one for one in found[1:] if one.answer is not Answer.UNKNOWN]
    if others:
        console.print(Text("\nAlso in this text", style="bold cyan"))
    for one in others[:_OTHERS]:
        _item(console, f"{_named(one)}: {_title(one)}")
        if one.decided:
            _item(console, one.decided.cause.remedy, indent=4)
    if len(others) > _OTHERS:
        _item(console, f"and {len(others) - _OTHERS} more; --json has them all")


def _show_one(one: Diagnosis, console: Console) -> None:
    _item(console, _title(one), indent=0, style="bold")
    _item(console, _named(one))
    for line in (_where(one), _release(one), _ranks(one)):
        if line:
            _item(console, line)
    _todo(one, console)
    if one.mode is not None:
        _section(console, "What it means", one.mode.explanation)
    _why(one, console)
    if len(one.chain) > 1:
        console.print(Text("The whole chain, first raised first", style="bold cyan"))
        for failure in one.chain:
            _item(console, _link(failure))
    if one.origin.located:
        console.print(Text("Frames inside accelerate", style="bold cyan"))
        for located in one.origin.located:
            _item(console, _frame_line(located))
    if one.mode is not None and one.mode.links:
        console.print(Text("Upstream", style="bold cyan"))
        for link in one.mode.links:
            console.print(Text(f"  {link}"), soft_wrap=True)


def _title(one: Diagnosis) -> str:
    """What it is, in one line."""
    if one.answer is Answer.KNOWN:
        return one.title
    if one.answer is Answer.EXCLUDED:
        return f"Looks like: {one.title}. But the versions exclude it"
    if one.answer is Answer.UNDECIDED:
        return "Known messages fit, but the text does not show where it was raised"
    if one.answer is Answer.ECHO:
        return "Only the report of another failure, which is not in this text"
    doing = f" while {one.whereabouts.phase}" if one.whereabouts else ""
    return f"None of the {len(catalogue())} known failures: raised{doing}"


def _named(one: Diagnosis) -> str:
    """The exception with its first line, or the line of the log."""
    if one.failure is None:
        return clean(f"in the log: {one.line}", 200)
    if not one.failure.type:
        return "the text ends before the exception"
    first = one.failure.message.partition("\n")[0]
    return clean(": ".join(filter(None, (one.failure.type, first))), 200)


def _where(one: Diagnosis) -> str:
    frame = one.failure.raised if one.failure else None
    if frame is None:
        return ""
    inside = f", in {frame.function}" if frame.function else ""
    return clean(f"raised in {_short(frame.path)}, line {frame.line}{inside}", 160)


def _short(path: str) -> str:
    """A path from the folder of the package on."""
    bare = path.replace("\\", "/")
    for folder in ("site-packages/", "dist-packages/"):
        bare = bare.rpartition(folder)[2]
    return "/".join(bare.split("/")[-4:])


def _release(one: Diagnosis) -> str:
    origin = one.origin
    edited = "".join(
        f" {name} was edited: no release has that line there." for name in origin.edited
    )
    if origin.contradictory:
        return (
            "accelerate: no release, the frames contradict each other; they are of several "
            f"installations, or a file was edited.{edited}"
        )
    if origin.releases:
        return f"accelerate {in_words(origin.releases)}, by the lines of its frames.{edited}"
    return f"accelerate: not told.{edited}" if edited else ""


def _ranks(one: Diagnosis) -> str:
    if not one.ranks:
        return ""
    return f"on rank{'s' if len(one.ranks) > 1 else ''} {', '.join(map(str, one.ranks[:16]))}"


def _todo(one: Diagnosis, console: Console) -> None:
    """What to do: one line to copy, and what to know about it."""
    console.print(Text("What to do", style="bold cyan"))
    if one.decided is not None:
        _remedy(one.decided, console)
    elif one.answer is Answer.KNOWN:
        first = _first(one)
        _item(console, f"If it is the first cause ({first.cause.title}):")
        _remedy(first, console)
        if one.asked:
            _item(console, "To tell the causes apart, say what the text does not:")
            _command(console, f"ckptmatrix explain LOG {one.asked}")
    elif one.answer is Answer.ECHO:
        status = f"Exit status {one.echo.status}" if one.echo and one.echo.status else ""
        if status and one.echo and one.echo.meaning:
            _item(console, f"{status}: {one.echo.meaning}.")
        _item(
            console, "Paste what stands above it: the first traceback, or the process's last lines."
        )
        _command(console, "grep -n -m1 -A40 Traceback train.log | ckptmatrix explain -")
    else:
        _next(one, console)


def _next(one: Diagnosis, console: Console) -> None:
    """What to do about what is not explained."""
    if one.answer is Answer.UNDECIDED:
        for id_ in one.candidates:
            _item(console, f"it may be: {catalogue()[id_].title}")
        _item(console, "Paste the traceback's frames as well, from its first line on.")
        return
    if one.whereabouts is not None:
        _item(console, one.whereabouts.loaded)
        _command(console, one.command)
        return
    _item(
        console, "Nothing shows where in saving or loading it was. Paste the whole traceback; look"
    )
    _item(console, "at the directory itself with:")
    _command(console, f"ckptmatrix inspect {one.directory}")


def _first(one: Diagnosis) -> Weighed:
    """The likeliest cause."""
    return next(weighed for weighed in one.causes if weighed.verdict is not Likelihood.RULED_OUT)


def _why(one: Diagnosis, console: Console) -> None:
    if not one.causes:
        return
    console.print(Text("Causes", style="bold cyan"))
    for weighed in one.causes:
        because = f" ({weighed.because})" if weighed.because else ""
        _item(console, f"{_MARKS[weighed.verdict]}: {weighed.cause.title}{because}", style="bold")
        if weighed.verdict is not Likelihood.RULED_OUT:
            _item(console, f"how to tell: {weighed.cause.tell}", indent=6)
            if one.decided is None and weighed is not _first(one):
                _item(console, f"remedy: {weighed.cause.remedy}", indent=6)


def _link(failure: Failure) -> str:
    first = clean(": ".join(filter(None, (failure.type, failure.words))), 160)
    frame = failure.raised
    where = f" (in {_short(frame.path)}, line {frame.line})" if frame else ""
    how = {Link.NONE: "", Link.CAUSE: "which led to ", Link.HANDLING: "while it was handled "}
    return clean(f"{how[failure.link]}{first}{where}", 300)


def _frame_line(located: Located) -> str:
    frame, match = located.frame, located.match
    name = frame.path.replace("\\", "/").rpartition("accelerate/")[2]
    place = clean(f"accelerate/{name}, line {frame.line}, in {frame.function}")
    if match.by is By.CODE:
        return f"{place}: {in_words(match.releases)}"
    if match.by is By.FUNCTION:
        return f"{place}: lies in that function in {in_words(match.releases)}"
    if match.elsewhere:
        near = ", ".join(f"line {line} in {v}" for v, line in list(match.elsewhere.items())[:3])
        return f"{place}: no release; the same code is {near}"
    return f"{place}: no release"


def _remedy(weighed: Weighed, console: Console) -> None:
    if weighed.cause.command:
        _command(console, weighed.cause.command)
    _item(console, weighed.cause.remedy)


def _command(console: Console, command: str) -> None:
    """A line to copy; it is never wrapped."""
    console.print(Text(f"    {clean(command, 400)}", style="green"), soft_wrap=True)


def _section(console: Console, title: str, body: str) -> None:
    console.print(Text(title, style="bold cyan"))
    _item(console, body)


def _item(console: Console, text: str, indent: int = 2, style: str = "") -> None:
    """A paragraph, wrapped and indented; nothing of it is taken for markup or obeyed."""
    blank = " " * indent
    wrapped = textwrap.wrap(clean(text, 2000), console.width - indent, break_on_hyphens=False)
    for line in wrapped:
        console.print(Text(blank + line, style=style), soft_wrap=True)
