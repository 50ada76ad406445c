"""The options by which every command narrows or widens a tier, and the plan that they come to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ckptmatrix.environments.index import released
from ckptmatrix.measure.pytest_driver import matching
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.planning import Selection, make_plan, needs_index
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.shards import Shard

DEFAULT_TIER = "eras"


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that every command narrows or widens a tier by."""
    for option in reversed(
        (
            click.option(
                "--config",
                type=click.Path(path_type=Path),
                default=Path("matrix.toml"),
                show_default=True,
                help="The declared matrix.",
            ),
            click.option(
                "--tier",
                default=DEFAULT_TIER,
                show_default=True,
                help="Which releases meet: smoke (minutes), eras (each side of every format "
                "change), full (every release), or one of your own.",
            ),
            _several("--accelerate", "Releases instead of the tier's, such as 0.33.0,1.15.0."),
            _several("--stack", "Names of stacks instead of the tier's."),
            _several("--scenario", "Names of scenarios instead of the tier's."),
            _several("--loader", "Names of loaders instead of the tier's."),
            click.option(
                "--remedies/--no-remedies",
                default=None,
                help="Measure what helps where a load is not exact (the loader ckptmatrix, the "
                "repaired checkpoint); as the tier says by default.",
            ),
            click.option(
                "-k",
                "expression",
                default="",
                metavar="EXPR",
                help='Only cells that match, as in pytest: "saved-0.33.0 and loaded-1.15.0".',
            ),
        )
    ):
        command = option(command)
    return command


def _several(name: str, text: str) -> Callable[..., Any]:
    return click.option(
        name, multiple=True, metavar="A,B", help=f"{text} Can be given several times."
    )


def select(
    config: Path,
    tier: str,
    accelerate: tuple[str, ...],
    stack: tuple[str, ...],
    scenario: tuple[str, ...],
    loader: tuple[str, ...],
    remedies: bool | None,
    expression: str,
) -> Selected:
    """Turn the options of `selection_options` into a plan.

    Raises:
        UsageError: the configuration or the selection is wrong.
        CkptmatrixError: the index is needed and could not be asked.
    """
    declared = read_config(config)
    selection = Selection(
        tier, _names(accelerate), _names(stack), _names(scenario), _names(loader), remedies
    )
    index = released("accelerate") if needs_index(declared, selection) else ()
    plan = make_plan(declared, selection, index)
    if expression:
        plan = plan.narrowed(matching(declared, selection, expression))
    return Selected(declared, selection, expression, plan)


def _names(values: tuple[str, ...]) -> tuple[str, ...] | None:
    names = (name.strip() for value in values for name in value.split(","))
    return tuple(name for name in names if name) or None


def shard_option(command: Callable[..., Any]) -> Callable[..., Any]:
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
