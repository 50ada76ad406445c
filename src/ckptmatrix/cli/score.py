"""`ckptmatrix score`: how well the judge judges."""

import json
import sys
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

import click
from rich.console import Console

from ckptmatrix.cli.options import device_option, jobs_option, select, selection_options
from ckptmatrix.environments.device import find_device
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import NothingRanError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.mutation import Fate, score, subject
from ckptmatrix.model import Cell
from ckptmatrix.results.report.mutation import Row, read_rows, row_of, write_rows
from ckptmatrix.util.parallel import side_by_side
from ckptmatrix.util.progress import progress


@click.command(name="score")
@selection_options
@device_option
@click.option("--fresh", is_flag=True, help="Score again what is known from an earlier report.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where mutation.json and mutation.md go.",
)
@jobs_option
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    device: str, fresh: bool, reports: Path, jobs: int, as_json: bool, **options: Any
) -> None:
    """Alter checkpoints one place at a time and see whether the judge notices exactly that.

    Of each scenario, the newest release that loads its own checkpoints writes one; every file and
    every key in it is dropped, zeroed, flipped in one bit, swapped, replaced by another run's, and
    loaded. Some 300 loads, or half a minute, for each scenario. Do this for a scenario of your own
    to learn whether it verifies all that it saves.

    \b
    Examples:
      ckptmatrix score                      every scenario
      ckptmatrix score --scenario basic     one of them
      ckptmatrix score --accelerate 1.15.0  this release alone

    \b
    Exit codes:
      0  every altered checkpoint was noticed, or changes nothing
      1  the judge missed some, or named a wrong component
      2  wrong use or configuration
      3  nothing could be scored
    """
    selected = select(**options)
    known = {(row.scenario, row.loader): row for row in read_rows(reports)}
    wanted = list(dict.fromkeys((cell.scenario, cell.loader) for cell in selected.plan.cells))
    writing = Lock()

    def some(names: list[tuple[str, str]]) -> list[Row]:
        found = []
        with Lab(site) as lab:
            for scenario, loader in names:
                cell = subject(lab, scenario, loader, selected.plan.environments)
                if cell:
                    old = None if fresh else known.get((scenario, loader))
                    found.append(_row(lab, cell, old))
                    with writing:
                        known[scenario, loader] = found[-1]
                        write_rows(reports, tuple(known[name] for name in sorted(known)))
                advance(scenario)
        return found

    site = Site.of(selected.config, find_device(device))
    cores = jobs
    with progress("scenarios", len(wanted)) as advance:
        # Dealt out like cards: what a scenario costs is alike in its neighbours.
        hands = [wanted[first::cores] for first in range(min(cores, len(wanted)))]
        scored = list(chain.from_iterable(side_by_side(some, hands, cores)))
    if not scored:
        raise NothingRanError(
            "no release of the selection loads its own checkpoints", "select other releases"
        )
    _tell(scored, reports, as_json)
    sys.exit(1 if any(row.faults for row in scored) else 0)


def _row(lab: Lab, cell: Cell, old: Row | None) -> Row:
    """The score of a cell, measured now unless it is known."""
    key = lab.key(cell)
    return old if old and old.key == key else row_of(score(lab, cell), key)


def _tell(rows: list[Row], reports: Path, as_json: bool) -> None:
    counts = {
        "scenarios": len(rows),
        "mutants": sum(row.made for row in rows),
        "noticed": sum(row.caught for row in rows),
        "same": sum(row.fates[Fate.SAME] for row in rows),
        "moot": sum(row.fates[Fate.MOOT] for row in rows),
        "faults": sum(len(row.faults) for row in rows),
    }
    if as_json:
        click.echo(json.dumps(counts))
        return
    console = Console()
    for row in rows:
        for mutant in row.faults:
            place = "/".join(map(str, mutant.path))
            console.print(
                f"{row.scenario}: {mutant.file} {place} {mutant.kind}: {mutant.fate}: "
                f"{mutant.detail}",
                markup=False,
                soft_wrap=True,
            )
    console.print(
        "{mutants} altered checkpoints of {scenarios} scenarios: {noticed} noticed, {same} bring "
        "back the very same state, {moot} belong to what is not got back anyway, "
        "{faults} faults".format(**counts),
        soft_wrap=True,
    )
    console.print(f"report: {reports / 'mutation.md'}", soft_wrap=True)
