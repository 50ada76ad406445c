"""Progress of long work: bars on a terminal, a line now and then elsewhere (in the log of a CI)."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Advance = Callable[[str], None]
"""Called with what was just done, once for each piece of work."""

_SECONDS_BETWEEN_LINES = 15


@contextmanager
def progress(what: str, total: int, console: Console | None = None) -> Iterator[Advance]:
    """Show how far a phase of a run is.

    Args:
        what: what is being done, such as `environments`.
        total: how many pieces there are.
        console: where to show it; standard error by default.
    """
    console = console or Console(stderr=True)
    if total == 0:
        yield lambda done: None
    elif console.is_terminal:
        with _bar(what, total, console) as advance:
            yield advance
    else:
        with _lines(what, total, console) as advance:
            yield advance


@contextmanager
def _bar(what: str, total: int, console: Console) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description:<13}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[done]}"),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(what, total=total, done="")
        yield lambda done: bars.update(task, advance=1, done=done)


@contextmanager
def _lines(what: str, total: int, console: Console) -> Iterator[Advance]:
    started = last = time.monotonic()
    count = 0

    def advance(done: str) -> None:
        nonlocal last, count
        count += 1
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES and count < total:
            last = time.monotonic()
            console.print(f"{what}: {count} of {total} ({last - started:.0f} s): {done}")
            sys.stderr.flush()

    console.print(f"{what}: {total} to do")
    yield advance
    console.print(f"{what}: {count} of {total} done in {time.monotonic() - started:.0f} s")
