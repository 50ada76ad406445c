"""`ckptmatrix try`: load a directory for real in every environment of a tier."""

import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console

from ckptmatrix.checkpoint.repair.weight_files import tied_pairs
from ckptmatrix.cli.options import (
    device_option,
    narrowing_options,
    select,
    tier_option,
)
from ckptmatrix.cli.project import any_config_option
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.directory.attempt import Wish
from ckptmatrix.measure.directory.console import as_markdown, remedies, show, verdict
from ckptmatrix.measure.directory.row import DirectoryRow, try_directory
from ckptmatrix.util.terminal_text import clean_lines, clean_value

EPILOG = """\b
Examples:
  ckptmatrix try outputs/lora-000030-state
  ckptmatrix try DIR --accelerate 0.33.0,1.15.0 --stack torch2.15-np1
  ckptmatrix try DIR --tier smoke --loader ckptmatrix
  ckptmatrix try DIR --repaired              what `ckptmatrix repair` would bring
  ckptmatrix try DIR --markdown > row.md     for an issue

\b
Exit codes:
  0  every environment that could be tried brings it back whole
  1  at least one does not
  2  wrong use, or a directory of a kind that is not tried
  3  a file is damaged, or nothing could be run
"""


@click.command(epilog=EPILOG)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@any_config_option
@tier_option
@narrowing_options("accelerate", "stack")
@click.option("--loader", default="accelerate", show_default=True, help="What loads it.")
@device_option
@click.option("--repaired", is_flag=True, help="Try a repaired copy of it.")
@click.option(
    "--tied",
    multiple=True,
    metavar="NAME=NAME",
    help="A weight that safetensors left out because it is another one. Repeatable.",
)
@click.option(
    "--scheduler/--no-scheduler",
    default=None,
    help="Whether your script prepares a scheduler, where there is no scheduler.bin.",
)
@click.option(
    "--trust",
    is_flag=True,
    help="Load pickles that name what is not known to be harmless; it may be run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the row as JSON.")
@click.option("--markdown", "in_markdown", is_flag=True, help="Print the row as Markdown.")
def command(
    directory: Path,
    config: Path | None,
    tier: str | None,
    accelerate: tuple[str, ...],
    stack: tuple[str, ...],
    loader: str,
    device: str,
    repaired: bool,
    tied: tuple[str, ...],
    scheduler: bool | None,
    trust: bool,
    as_json: bool,
    in_markdown: bool,
) -> None:
    """Load the checkpoint DIR for real in every environment of a tier, without your model's code.

    A stand-in of the names and shapes in DIR is built in each environment, the real `load_state`
    loads a copy into it, and every component is compared bit for bit with what lies in the files.
    DIR is only read. What cannot be known without your code is said below the row: the training
    that follows is one of it.
    """
    machine = find_machine(device)
    devices = machine.devices[-1:]  # one row: on a GPU where there is one
    selected = select(
        config, tier, devices=devices, accelerate=accelerate, stack=stack, loader=(loader,)
    )
    row = try_directory(
        Wish(
            directory,
            Site.of(selected.config, machine.gpus),
            selected.plan.environments,
            loader,
            repaired,
            trust,
            scheduler,
            tied_pairs(tied),
        ),
        lambda said: click.echo(clean_lines(said), err=True),
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(clean_value(_answer(row)))).decode())
    elif in_markdown:
        click.echo(clean_lines(as_markdown(row)))
    else:
        width = None if sys.stdout.isatty() else 120
        show(row, Console(highlight=False, width=width))
    sys.exit(0 if len(row.whole) == len(row.measured) else 1)


def _answer(row: DirectoryRow) -> dict[str, object]:
    """The row with its verdict, for programs."""
    return {
        "verdict": verdict(row),
        "whole": [cell.reader for cell in row.whole],
        "remedies": remedies(row),
        **msgspec.to_builtins(row),
    }
