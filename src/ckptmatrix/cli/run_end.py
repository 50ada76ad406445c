"""The end of `run` and `merge`: what is said, and expectations rewritten if wished."""

import json
from pathlib import Path

import click
from rich.console import Console

from ckptmatrix.knowledge.expectations.update import update
from ckptmatrix.model import Matrix
from ckptmatrix.results.conclusion import Conclusion


def say_conclusion(conclusion: Conclusion, as_json: bool) -> None:
    """Say what came out: the counts, what is wrong, and where the report is."""
    if as_json:
        click.echo(json.dumps({**conclusion.counts, "report": conclusion.report}))
        return
    console = Console()
    for line in conclusion.wrong:
        console.print(line, markup=False, soft_wrap=True)
    counts = dict(conclusion.counts)
    total, wrong = counts.pop("cells"), counts.pop("unexpected")
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    console.print(
        f"{total} cells: {listed}; {wrong} unexpected; "
        f"{conclusion.measured} measured in this run; controls {conclusion.controls}",
        soft_wrap=True,
    )
    if conclusion.newer:
        console.print(conclusion.newer, soft_wrap=True)
    console.print(f"report: {conclusion.report}", soft_wrap=True)


def update_expectations(path: Path, matrix: Matrix, whole_tier: str) -> None:
    """Rewrite `expectations.toml` from a run and say what became of it."""
    done = update(path, matrix, whole_tier)
    said = f"{path.name}: {done.kept} kept, {done.added} added, {done.dropped} dropped"
    if done.unexplained:
        said += (
            f"; {done.unexplained} cells have no known cause and stay unexpected: "
            "write an expectation with a reason for them"
        )
    click.echo(said, err=True)
