"""`ckptmatrix plan`: what would run, without running it."""

import json
from collections import Counter
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ckptmatrix.cli.options import device_option, select, selection_options, shard_option
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.remaining import remaining
from ckptmatrix.plan.estimate import Work, in_words
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.shards import Shard, sharded


@click.command(name="plan")
@selection_options
@shard_option
@device_option
@click.option("--cells", is_flag=True, help="List every cell by its name.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(shard: Shard | None, device: str, cells: bool, as_json: bool, **options: Any) -> None:
    """Show environments, checkpoints, cells and an estimate; nothing is built or run.

    \b
    Examples:
      ckptmatrix plan
      ckptmatrix plan --tier full
      ckptmatrix plan --accelerate 0.33.0,1.15.0 --cells
      ckptmatrix plan --shard 3/8                       what the third of eight machines does

    \b
    Exit codes:
      0  shown
      2  wrong use or configuration
      3  the package index is needed and could not be asked
    """
    machine = find_machine(device)
    selected = sharded(select(devices=machine.devices, **options), shard)
    work = remaining(selected.plan, Site.of(selected.config, machine.gpus))
    if as_json:
        click.echo(json.dumps(_as_json(selected, work), indent=2))
        return
    _tell(selected, work, Console())
    if cells:
        for cell in selected.plan.cells:
            click.echo(cell.id)


def _as_json(selected: Selected, work: Work) -> dict[str, Any]:
    plan = selected.plan
    return {
        "tier": selected.selection.describe(),
        "environments": [environment.id for environment in plan.environments],
        "readers": [environment.id for environment in plan.readers],
        "scenarios": list(plan.scenarios),
        "checkpoints": len(plan.checkpoints),
        "cells": len(plan.cells),
        "to_do": asdict(work),
        "estimated_seconds": round(work.seconds()),
    }


def _tell(selected: Selected, work: Work, console: Console) -> None:
    plan = selected.plan
    table = Table(title=f"tier {selected.selection.describe()}", title_justify="left", box=None)
    for head in ("stack", "Python", "packages", "accelerate releases"):
        table.add_column(head, overflow="fold")
    for name, stack in plan.stacks.items():
        releases = [e.accelerate for e in plan.environments if e.stack == name]
        table.add_row(name, stack.python, " ".join(stack.packages), " ".join(releases))
    console.print(table)
    loaders = Counter(cell.loader for cell in plan.cells)
    console.print(f"\nscenarios ({len(plan.scenarios)}): {', '.join(plan.scenarios)}")
    console.print(f"loaders: {', '.join(loaders)}")
    if len(plan.readers) < len(plan.environments):
        readers = ", ".join(reader.short for reader in plan.readers)
        console.print(f"readers ({len(plan.readers)}): {readers}")
    console.print()
    for what, total, todo in (
        ("environments", len(plan.environments), f"{work.environments} to build"),
        ("checkpoints", len(plan.checkpoints), f"{work.checkpoints} to write"),
        ("cells", len(plan.cells), f"{work.cells + work.loads} to measure"),
    ):
        console.print(f"{total:7,} {what:<13}{todo}")
    console.print(
        f"\nabout {in_words(work.seconds())} on this machine, downloads not counted; "
        "`nox -s matrix` or `ckptmatrix run` with the same options does it"
    )
