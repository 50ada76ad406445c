"""`ckptmatrix inspect`: what a checkpoint directory is, without running anything that is in it."""

import re
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from packaging.version import InvalidVersion, Version
from rich.console import Console

from ckptmatrix.checkpoint.format.safety import Rating
from ckptmatrix.checkpoint.inspect.console import (
    newest_first,
    outcome_text,
    show,
    show_table,
)
from ckptmatrix.checkpoint.inspect.gathering import looks_like_checkpoint
from ckptmatrix.checkpoint.inspect.inspection import Inspection, as_json, inspect, oddities
from ckptmatrix.checkpoint.inspect.prediction import Prediction, predictions
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp
from ckptmatrix.errors import UsageError
from ckptmatrix.util.terminal_text import clean, clean_value


@click.command()
@click.argument("directories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="Print everything as JSON.")
@click.option(
    "--reader",
    metavar="PINS",
    help="Answer for one environment only: 'accelerate==0.33.0 torch==2.15.0 numpy==1.26.4'.",
)
def command(directories: tuple[Path, ...], json_: bool, reader: str | None) -> None:
    """Say what a checkpoint directory is and what will happen when it is loaded.

    Reads file names, headers and pickle opcodes only: nothing in the directory is run, and its
    size makes no difference. Several directories, or one that holds many, come out as a table,
    newest first; what stands out is marked with an exclamation mark.

    \b
    Examples
      ckptmatrix inspect outputs/lora-000030-state
      ckptmatrix inspect outputs                      all states in and below a folder
      ckptmatrix inspect outputs/*-state --json
      ckptmatrix inspect DIR --reader 'accelerate==0.33.0 torch==2.15.0 numpy==1.26.4'

    \b
    Exit codes
      0  nothing wrong was seen (with --reader: it will resume exactly)
      1  missing, damaged, unread or dangerous files, names that are on no list, or no
         checkpoint (with --reader: it will not)
      2  wrong use, such as a directory that does not exist
    """
    found = [inspect(directory) for directory in _expand(directories)]
    if reader is not None:
        outcomes = [
            (one, fsdp, outcome)
            for one in found
            for fsdp, outcome in predictions(one.facts, *_pins(reader)).items()
        ]
        _print_outcomes(outcomes, json_)
        sys.exit(0 if all(outcome.status == "exact" for *_, outcome in outcomes) else 1)
    console = _console()
    if json_:
        odd = oddities(found)
        values = [
            {**as_json(one), "odd": odd.get(one.facts.directory, "")} for one in newest_first(found)
        ]
        click.echo(_json({"checkpoints": values}))
    elif len(found) == 1:
        show(found[0], console)
    else:
        show_table(found, console)
    sys.exit(1 if any(_wrong(one) for one in found) else 0)


def _json(value: Any) -> bytes:
    encoded = msgspec.json.encode(clean_value(msgspec.to_builtins(value)))
    return bytes(msgspec.json.format(encoded, indent=2))


def _console() -> Console:
    """As wide as the terminal; where there is none, wide enough for the tables."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def _wrong(one: Inspection) -> bool:
    known = not one.dangerous and not one.globals[Rating.UNKNOWN]
    return bool(one.problems or not known or not one.is_checkpoint)


def _expand(directories: tuple[Path, ...]) -> list[Path]:
    """Replace a folder that is no checkpoint by the checkpoints in it."""
    expanded: list[Path] = []
    for directory in directories:
        inside = [] if looks_like_checkpoint(directory) else _inside(directory, _DEPTH)
        expanded += inside or [directory]
    return expanded


_DEPTH = 3
"""How far below a folder checkpoints are looked for: `outputs/NAME/NAME-000030-state`."""


def _inside(folder: Path, depth: int) -> list[Path]:
    try:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:  # no directory, or none that may be listed: inspecting it says so
        return []
    found: list[Path] = []
    for path in below:
        if looks_like_checkpoint(path):
            found.append(path)
        elif depth > 1:
            found += _inside(path, depth - 1)
    return found


def _pins(text: str) -> tuple[str, str, str]:
    """The versions of accelerate, torch and numpy in `name==version` items."""
    pins = dict(re.findall(r"(accelerate|torch|numpy)==([^\s,;]+)", text))
    missing = [name for name in ("accelerate", "torch", "numpy") if name not in pins]
    if missing:
        raise UsageError(
            f"--reader does not say which {' and '.join(missing)}.",
            "Write it as pip freeze does: 'accelerate==0.33.0 torch==2.15.0 numpy==1.26.4'.",
        )
    for name, version in pins.items():
        try:
            Version(version)
        except InvalidVersion as error:
            raise UsageError(
                f"{version!r} is no version of {name}.", f"Write it as `pip show {name}` does."
            ) from error
    return pins["accelerate"], pins["torch"], pins["numpy"]


def _print_outcomes(
    outcomes: list[tuple[Inspection, Fsdp | None, Prediction]], json_: bool
) -> None:
    """One outcome for each directory; for each FSDP of one, where that matters and is not told."""
    if json_:
        values = [
            {"directory": one.facts.directory, "fsdp": fsdp or "", **msgspec.to_builtins(outcome)}
            for one, fsdp, outcome in outcomes
        ]
        click.echo(_json(values))
        return
    console = _console()
    for one, fsdp, outcome in outcomes:
        said = (f"if the script uses {fsdp}:",) if fsdp else ()
        console.print(*said, outcome_text(outcome), clean(one.facts.directory), markup=False)
        if outcome.reason:
            console.print(f"  {clean(outcome.reason)}", markup=False)
