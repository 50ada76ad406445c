"""`ckptmatrix explain`: what a traceback or a training log says."""

import re
import sys
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console

from ckptmatrix.checkpoint.explain.console import as_json, show
from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.explain.traces import TEXT_LIMIT
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.errors import UsageError


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

    \b
    Exit codes
      0  a failure was recognised
      1  there is a failure, but none that is known here; what can be told is told
      2  wrong use, or no failure in the text at all
    """
    versions = dict(re.findall(r"(accelerate|torch|numpy|safetensors)==([0-9][\w.+]*)", known))
    if known and not versions:
        raise UsageError(
            f"--with {known!r} names no version.", "Write it as pip freeze does: 'torch==2.7.0'."
        )
    facts = gather(checkpoint) if checkpoint is not None else None
    found = diagnose(_read_end(file).decode("utf-8", "replace"), versions, facts)
    if not found:
        raise UsageError(
            "There is no traceback in this text, nor a line of a log that tells of a failure.",
            "Paste from `Traceback (most recent call last)` to the last line; for silent losses "
            "look at the directory with `ckptmatrix inspect DIR`.",
        )
    if json_:
        click.echo(msgspec.json.format(msgspec.json.encode(as_json(found)), indent=2))
    else:
        show(found, Console(highlight=False, width=None if sys.stdout.isatty() else 120))
    sys.exit(0 if any(one.modes for one in found) else 1)


def _read_end(file: BinaryIO) -> bytes:
    """The last part of a text, however long it is; a pipe is read through."""
    kept = b""
    while chunk := file.read(1 << 20):
        kept = (kept + chunk)[-TEXT_LIMIT:]
    return kept
