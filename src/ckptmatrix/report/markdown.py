"""`matrix.md`: what fits a pull request comment and a CI step summary."""

from ckptmatrix.findings.tally import GLYPHS, tally
from ckptmatrix.model import Matrix

FILENAME = "matrix.md"
"""Name of the file in a report's directory."""


def render(matrix: Matrix, baseline: Matrix | None = None) -> bytes:
    """Give the summary as GitHub's Markdown, UTF-8."""
    total = tally(cell.status for cell in matrix.cells)
    lines = [
        "# Will your accelerate checkpoints still resume?",
        "",
        f"{total.measured} of {total.total} cells measured on {matrix.run.device}.",
        "",
        "| status | cells |",
        "|---|---:|",
        *(f"| {GLYPHS[status]} {status} | {count} |" for status, count in total.by_status.items()),
    ]
    return ("\n".join(lines) + "\n").encode()
