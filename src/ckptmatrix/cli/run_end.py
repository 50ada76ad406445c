"""The end of `run` and `merge`: what is said, and expectations rewritten if wished."""

import json
from pathlib import Path

import click

from ckptmatrix.knowledge.expectations.update import update
from ckptmatrix.model import Matrix
from ckptmatrix.results.conclusion import Conclusion
from ckptmatrix.util.saying import say


def say_conclusion(conclusion: Conclusion, as_json: bool) -> None:
    """Say what came out: the counts, what is wrong, and where the report is."""
    if as_json:
        click.echo(json.dumps({**conclusion.counts, "report": conclusion.report}))
        return
    for line in conclusion.wrong:
        say(line)
    counts = dict(conclusion.counts)
    total, wrong = counts.pop("cells"), counts.pop("unexpected")
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    say(
        f"{total} cells: {listed}; {wrong} unexpected; "
        f"{conclusion.measured} measured in this run; controls {conclusion.controls}"
    )
    if conclusion.newer:
        say(conclusion.newer)
    say(f"report: {conclusion.report}")


def update_expectations(path: Path, matrix: Matrix, tier: str, whole: bool) -> None:
    """Rewrite `expectations.toml` from a run and say what became of it.

    Args:
        path: the file.
        matrix: the run.
        tier: name of its tier.
        whole: whether all of it was run.
    """
    done = update(path, matrix, tier, whole)
    of = f"the tier {tier}" if whole else f"a part of the tier {tier}".rstrip()
    said = f"{path.name}, from {of}: {done.kept} kept, {done.added} added, {done.dropped} dropped"
    if done.unexplained:
        said += (
            f"; {done.unexplained} cells have no known cause and stay unexpected: "
            "write an expectation with a reason for them"
        )
    click.echo(said, err=True)
