"""`ckptmatrix report`: render again from `matrix.json.gz` alone."""

from pathlib import Path

import click

from ckptmatrix.errors import UsageError
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report import DEFAULT, FORMATS, write_reports
from ckptmatrix.results.which_matrix import LAST_RUN


@click.command()
@click.argument("path", metavar="[MATRIX]", type=click.Path(path_type=Path), default=LAST_RUN)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory to write to; default: the one that MATRIX is in.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="An earlier matrix.json.gz; the report then says what changed since.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(list(FORMATS)),
    multiple=True,
    help="Only this one; repeatable. json is matrix.json with every cell written out, for other "
    "programs; it is written only where it is asked for.",
)
def command(
    path: Path, output: Path | None, baseline: Path | None, formats: tuple[str, ...]
) -> None:
    """Write the report of a finished run again, from its MATRIX (reports/matrix.json.gz) alone.

    Nothing is measured. Writes matrix.json.gz, index.html, matrix.md and junit.xml, each
    atomically.

    \b
    Examples:
      ckptmatrix report
      ckptmatrix report downloaded/matrix.json.gz -o /tmp/report
      ckptmatrix report --format json -o /tmp/expanded
      ckptmatrix report --baseline reports/sample

    \b
    Exit codes: 0 written, 2 no matrix.json or one of another schema.
    """
    matrix = read_matrix(path)
    before = read_matrix(baseline) if baseline is not None else None
    directory = output or (path if path.is_dir() else path.parent)
    try:
        for written in write_reports(matrix, directory, before, formats or DEFAULT):
            click.echo(written)
    except OSError as error:
        raise UsageError(
            f"{directory} cannot be written to: {error.strerror or error}",
            "name another directory with --output",
        ) from error
