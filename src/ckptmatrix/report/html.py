"""`index.html`: the page people decide from, one file that needs nothing else."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from ckptmatrix.findings.axis import axis_of
from ckptmatrix.findings.tally import GLYPHS, TODAY, tally, view_of
from ckptmatrix.model import Matrix, Status

FILENAME = "index.html"
"""Name of the file in a report's directory."""


def render(matrix: Matrix, baseline: Matrix | None = None) -> bytes:
    """Give the page, UTF-8."""
    environment = Environment(
        loader=PackageLoader("ckptmatrix.report"), autoescape=True, undefined=StrictUndefined
    )
    axis = axis_of(matrix)
    statuses: dict[tuple[str, str], list[Status]] = {}
    for cell in matrix.cells:
        if view_of(cell) == TODAY:
            statuses.setdefault((cell.writer, cell.reader), []).append(cell.status)
    tallies = {pair: tally(found) for pair, found in statuses.items()}
    total = tally(cell.status for cell in matrix.cells)
    page = environment.get_template("report.html.j2").render(
        matrix=matrix, axis=axis, tallies=tallies, total=total, glyphs=GLYPHS
    )
    return page.encode()
