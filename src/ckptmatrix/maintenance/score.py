"""`python -m ckptmatrix.maintenance.score`: how well the judge judges."""

import json
import sys
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

import click
from rich.console import Console

from ckptmatrix.cli import main
from ckptmatrix.cli.options import device_option, jobs_option, select, selection_options
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import NothingRanError
from ckptmatrix.maintenance.mutation import Fate, score, subject
from ckptmatrix.maintenance.score_report import KeptScore, kept_of, read_scores, write_scores
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell
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
      python -m ckptmatrix.maintenance.score                      every scenario
      python -m ckptmatrix.maintenance.score --scenario basic     one of them
      python -m ckptmatrix.maintenance.score --accelerate 1.15.0  this release alone

    \b
    Exit codes:
      0  every altered checkpoint was noticed, or changes nothing
      1  the judge missed some, or named a wrong component
      2  wrong use or configuration
      3  nothing could be scored
    """
    machine = find_machine(device)
    selected = select(devices=machine.devices[:1], **options)
    site = Site.of(selected.config, machine.gpus)
    kept = _Scores(reports, fresh)
    wanted = list(dict.fromkeys((cell.scenario, cell.loader) for cell in selected.plan.cells))
    with progress("scenarios", len(wanted)) as advance:

        def score_some(names: list[tuple[str, str]]) -> list[KeptScore]:
            found = []
            with Lab(site) as lab:
                for scenario, loader in names:
                    cell = subject(lab, scenario, loader, selected.plan.environments)
                    if cell:
                        found.append(kept.score(lab, cell))
                    advance(scenario)
            return found

        # Dealt out like cards: what a scenario costs is alike in its neighbours.
        hands = [wanted[first::jobs] for first in range(min(jobs, len(wanted)))]
        scored = list(chain.from_iterable(side_by_side(score_some, hands, jobs)))
    if not scored:
        raise NothingRanError(
            "no release of the selection loads its own checkpoints", "select other releases"
        )
    _say(scored, reports, as_json)
    sys.exit(1 if any(one.faults for one in scored) else 0)


class _Scores:
    """The scores in a directory; those that still hold are not measured again.

    Args:
        directory: where mutation.json lies.
        fresh: whether all are measured again.
    """

    def __init__(self, directory: Path, fresh: bool) -> None:
        self.directory = directory
        self.fresh = fresh
        self._scores = {(one.scenario, one.loader): one for one in read_scores(directory)}
        self._writing = Lock()

    def score(self, lab: Lab, cell: Cell) -> KeptScore:
        """Give the score of a cell, measured now unless it is known, and keep it."""
        key, place = lab.key(cell), (cell.scenario, cell.loader)
        known = self._scores.get(place)
        if known is None or self.fresh or known.key != key:
            known = kept_of(score(lab, cell), key)
        with self._writing:
            self._scores[place] = known
            write_scores(self.directory, tuple(self._scores[one] for one in sorted(self._scores)))
        return known


def _say(scores: list[KeptScore], reports: Path, as_json: bool) -> None:
    counts = {
        "scenarios": len(scores),
        "mutants": sum(one.made for one in scores),
        "noticed": sum(one.caught for one in scores),
        "same": sum(one.fates[Fate.SAME] for one in scores),
        "moot": sum(one.fates[Fate.MOOT] for one in scores),
        "faults": sum(len(one.faults) for one in scores),
    }
    if as_json:
        click.echo(json.dumps(counts))
        return
    console = Console()
    for one in scores:
        for mutant in one.faults:
            place = "/".join(map(str, mutant.path))
            console.print(
                f"{one.scenario}: {mutant.file} {place} {mutant.kind}: {mutant.fate}: "
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


if __name__ == "__main__":
    main(command)
