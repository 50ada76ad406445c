"""`matrix.json.gz`: what was measured, for every command and to be committed as a baseline."""

from ckptmatrix.results.matrix_file import compact
from ckptmatrix.results.report.page import Page

FILENAME = compact.FILENAME
"""Name of the file in a report's directory."""


def render(page: Page) -> bytes:
    """Give the file; it holds what was measured, nothing that follows from it."""
    return compact.encode(page.matrix)
