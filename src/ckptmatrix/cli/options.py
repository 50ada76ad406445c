"""Options that several commands share, and the plan that those of a selection come to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ckptmatrix.environments.device import CHOICES
from ckptmatrix.environments.index import released
from ckptmatrix.measure.pytest_driver import matching
from ckptmatrix.model import Device
from ckptmatrix.plan.narrowings import NARROWINGS
from ckptmatrix.plan.planning import make_plan, needs_index
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import Selection
from ckptmatrix.plan.shards import Shard
from ckptmatrix.plan.shipped_matrix import any_config

Command = Callable[..., Any]

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("matrix.toml"),
    show_default=True,
    help="The declared matrix; expectations.toml is beside it.",
)

tier_option = click.option(
    "--tier",
    metavar="NAME",
    help="Which releases meet: smoke (minutes), eras (each side of every format change), full "
    "(every release), or one of your own. By default eras, or the first in matrix.toml.",
)

device_option = click.option(
    "--device",
    type=click.Choice(CHOICES),
    default="auto",
    show_default=True,
    help="Where writers train and readers resume. both: the tier on the CPU and, beside it, on "
    "GPUs the one that it names. auto: both where there is a GPU, else cpu.",
)

jobs_option = click.option(
    "-n",
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    help="Processes at a time; all cores by default.",
)


def narrowing_options(*names: str) -> Callable[[Command], Command]:
    """Add the options that replace parts of a tier by names.

    Args:
        names: which of `NARROWINGS`, by `option`.
    """

    def add(command: Command) -> Command:
        for one in reversed(NARROWINGS):
            if one.option in names:
                text = f"{one.help} Can be given several times."
                command = click.option(f"--{one.option}", multiple=True, metavar="A,B", help=text)(
                    command
                )
        return command

    return add


def selection_options(command: Command) -> Command:
    """Add the options that every command narrows or widens a tier by."""
    for option in (
        click.option(
            "-k",
            "expression",
            default="",
            metavar="EXPR",
            help='Only cells that match, as in pytest: "saved-0.33.0 and loaded-1.15.0".',
        ),
        click.option(
            "--remedies/--no-remedies",
            default=None,
            help="Measure what helps where a load is not exact (the loader ckptmatrix, the "
            "repaired checkpoint); as the tier says by default.",
        ),
        narrowing_options(*(one.option for one in NARROWINGS)),
        tier_option,
        config_option,
    ):
        command = option(command)
    return command


def select(
    config: Path | None,
    tier: str | None,
    remedies: bool | None = None,
    expression: str = "",
    devices: tuple[Device, ...] = (Device.CPU,),
    **named: tuple[str, ...],
) -> Selected:
    """Turn the options of `selection_options` into a plan; with no `config` of any matrix.

    Raises:
        UsageError: the configuration or the selection is wrong.
        CkptmatrixError: the index is needed and could not be asked.
    """
    declared = any_config(config)
    selection = Selection.of(tier or declared.default_tier(), named, remedies, devices)
    index = released("accelerate") if needs_index(declared, selection) else ()
    plan = make_plan(declared, selection, index)
    if expression:
        plan = plan.narrowed(matching(declared, selection, expression))
    return Selected(declared, selection, expression, plan)


def shard_option(command: Command) -> Command:
    """Add `--shard`."""
    return click.option(
        "--shard",
        callback=_parsed,
        metavar="I/N",
        help="Only the I-th of N parts of the plan, dealt out by reader; `ckptmatrix merge` puts "
        "them together.",
    )(command)


def _parsed(ctx: click.Context, param: click.Parameter, value: str | None) -> Shard | None:
    try:
        return Shard.parse(value) if value else None
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
