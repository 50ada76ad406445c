"""`ckptmatrix score`: how well the judge judges."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ckptmatrix.device import find_device
from ckptmatrix.errors import NothingRanError
from ckptmatrix.home import Home
from ckptmatrix.lab import Lab
from ckptmatrix.model import Cell
from ckptmatrix.mutation import Fate, score, subject
from ckptmatrix.progress import progress
from ckptmatrix.score_report import Row, read_rows, row_of, write_rows
from ckptmatrix.selecting import Selected, select, selection_options


@click.command(name="score")
@selection_options
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
@click.option("--fresh", is_flag=True, help="Score again what is known from an earlier report.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("reports"),
    show_default=True,
    help="Where mutation.json and mutation.md go.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(device: str, fresh: bool, reports: Path, as_json: bool, **options: Any) -> None:
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
    scored: list[Row] = []
    with Lab(selected.config, Home.of(selected.config.root), find_device(device)) as lab:
        for cell in _subjects(selected, lab):
            key = lab.key(cell)
            row = known.get((cell.scenario, cell.loader))
            if fresh or row is None or row.key != key:
                row = row_of(score(lab, cell), key)
            scored.append(row)
            known[cell.scenario, cell.loader] = row
            write_rows(reports, tuple(known[name] for name in sorted(known)))
    if not scored:
        raise NothingRanError(
            "no release of the selection loads its own checkpoints", "select other releases"
        )
    _tell(scored, reports, as_json)
    sys.exit(1 if any(row.faults for row in scored) else 0)


def _subjects(selected: Selected, lab: Lab) -> Iterator[Cell]:
    """The cell to score of each scenario and loader; none of those that no release can load."""
    wanted = dict.fromkeys((cell.scenario, cell.loader) for cell in selected.plan.cells)
    with progress("scenarios", len(wanted)) as advance:
        for scenario, loader in wanted:
            found = subject(lab, scenario, loader, selected.plan.environments)
            if found:
                yield found
            advance(scenario)


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
