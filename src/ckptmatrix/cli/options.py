"""Options that several commands share, and the plan that those of a selection come to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ckptmatrix.environments.index import released
from ckptmatrix.measure.pytest_driver import matching
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.planning import make_plan, needs_index
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import DEFAULT_TIER, NARROWINGS, Selection
from ckptmatrix.plan.shards import Shard

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
    default=DEFAULT_TIER,
    show_default=True,
    help="Which releases meet: smoke (minutes), eras (each side of every format change), full "
    "(every release), or one of your own.",
)

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where writers train and readers resume; auto takes a GPU where there is one.",
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
    config: Path,
    tier: str,
    remedies: bool | None = None,
    expression: str = "",
    **named: tuple[str, ...],
) -> Selected:
    """Turn the options of `selection_options` into a plan.

    Raises:
        UsageError: the configuration or the selection is wrong.
        CkptmatrixError: the index is needed and could not be asked.
    """
    declared = read_config(config)
    selection = Selection.of(tier, named, remedies)
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
