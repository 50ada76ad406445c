"""`ckptmatrix diff`: what changed between two runs."""

import sys
from pathlib import Path

import click
import msgspec

from ckptmatrix.results.findings.comparison import ChangeKind, compare
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report.changes import changes_markdown


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Give every change as JSON.")
def command(old: Path, new: Path, as_json: bool) -> None:
    """Compare two runs, OLD and NEW (each a matrix.json.gz or a directory with one), cell by cell.

    regressed: was exact and no longer is, or now raises, or loses more. fixed: is exact now.
    changed: not exact in both, but otherwise. new, gone: measured only in NEW, only in OLD.
    Prints Markdown, for a pull request or a step summary.

    \b
    Examples:
      ckptmatrix diff reports/sample reports
      ckptmatrix diff old/ new/ --json

    \b
    Exit codes: 0 no regression, 1 a regression, 2 a file that cannot be read or understood.
    """
    before, after = read_matrix(old), read_matrix(new)
    diff = compare(before, after)
    if as_json:
        answer = {"counts": diff.counts, "compared": diff.compared, "changes": diff.changes}
        click.echo(msgspec.json.format(msgspec.json.encode(answer)))
    else:
        click.echo(changes_markdown(after, diff))
    sys.exit(1 if diff.of(ChangeKind.REGRESSED) else 0)
