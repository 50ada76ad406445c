"""`ckptmatrix explain`: what a traceback or a training log says."""

import sys
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console

from ckptmatrix.checkpoint.explain.answers import Answer
from ckptmatrix.checkpoint.explain.console import show
from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.explain.values import as_json
from ckptmatrix.checkpoint.explain.versions import versions_in
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.errors import UsageError

HEAD = 4 << 20
"""Bytes of a long text that are read from its beginning, where a resume logs what it loads."""
TAIL = 12 << 20
"""Bytes that are read from its end, where the exception is."""
EXIT_CODES = {
    Answer.KNOWN: 0,
    Answer.UNKNOWN: 1,
    Answer.EXCLUDED: 4,
    Answer.UNDECIDED: 4,
    Answer.ECHO: 4,
}
"""Answer of the first diagnosis -> exit code."""


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--json", "json_", is_flag=True, help="Print the diagnoses as JSON.")
@click.option(
    "--with",
    "known",
    metavar="PINS",
    default="",
    help="Versions that the text does not say: 'torch==2.7.0 numpy==1.26.4'.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="The directory that was loaded; what is in it tells the causes apart.",
)
def command(file: BinaryIO, json_: bool, known: str, checkpoint: Path | None) -> None:
    """Explain a traceback or a log: which release, which failure, what to do.

    FILE is a text with a traceback in it, or a whole training log; `-` reads what you paste,
    until end of file. Nothing is run and nothing is sent anywhere.

    \b
    Examples
      ckptmatrix explain train.log
      ckptmatrix explain - < traceback.txt
      ckptmatrix explain train.log --with 'torch==2.7.0 numpy==1.26.4'
      ckptmatrix explain train.log --checkpoint outputs/lora-000030-state
      pip freeze | cat train.log - | ckptmatrix explain -
      ckptmatrix explain train.log --json | jq -r '.diagnoses[0].command'

    \b
    Exit codes
      0  a failure was recognised
      1  there is a failure, but none that is known here; where it was raised is said
      2  wrong use, or no failure in the text at all
      4  not decided: the versions exclude what it looks like, its frames are missing,
         or it only reports a failure that is not in the text
    """
    facts = gather(checkpoint) if checkpoint is not None else None
    found = diagnose(_read(file).decode("utf-8", "replace"), _pins(known), facts)
    if not found:
        raise UsageError(
            "There is no traceback in this text, nor a line of a log that tells of a failure.",
            "Paste from `Traceback (most recent call last)` to the last line; for silent losses "
            "look at the directory with `ckptmatrix inspect DIR`.",
        )
    if json_:
        click.echo(msgspec.json.format(msgspec.json.encode(as_json(found)), indent=2))
    else:
        width = min(Console().width, 100) if sys.stdout.isatty() else 80
        show(found, Console(highlight=False, width=width))
    sys.exit(EXIT_CODES[found[0].answer])


def _pins(known: str) -> dict[str, str]:
    """Versions given by `--with`.

    Raises:
        UsageError: it names none.
    """
    versions = {name: found[-1] for name, found in versions_in(known.split()).items()}
    if known and not versions:
        raise UsageError(
            f"--with {known!r} names no version.", "Write it as pip freeze does: 'torch==2.7.0'."
        )
    return versions


def _read(file: BinaryIO) -> bytes:
    """A text, or the first and the last part of a long one; a pipe is read through."""
    head = file.read(HEAD)
    tail = b""
    while chunk := file.read(1 << 20):
        tail = (tail + chunk)[-TAIL:]
    return head + tail
