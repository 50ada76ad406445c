"""`matrix.json`: the same with every cell written out, for other programs; only where asked for."""

from ckptmatrix.results.matrix_file import expanded
from ckptmatrix.results.report.page import Page

FILENAME = expanded.FILENAME
"""Name of the file in a report's directory."""


def render(page: Page) -> bytes:
    """Give the file."""
    return expanded.encode(page.matrix)
