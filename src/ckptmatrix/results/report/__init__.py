"""Reports of a finished matrix: one model, one file for each format.

`page` works out once what a report says; a format is a module with a `FILENAME` and a pure
`render(page) -> bytes`. To add one, write it and name it in `FORMATS`.
"""

from pathlib import Path
from typing import Protocol

from ckptmatrix.model import Matrix
from ckptmatrix.results.report import html, jsonfile, junit, markdown, packed
from ckptmatrix.results.report.jsonfile import read_matrix
from ckptmatrix.results.report.page import Page, page_of
from ckptmatrix.util.files import write_atomically

__all__ = ["FORMATS", "Format", "read_matrix", "write_reports"]


class Format(Protocol):
    """What a module has to have to be a format."""

    FILENAME: str
    """Name of the file in a report's directory."""

    def render(self, page: Page) -> bytes:
        """Give the whole file."""


FORMATS: tuple[Format, ...] = (jsonfile, packed, html, markdown, junit)
"""Every format, in the order in which they are written."""


def write_reports(matrix: Matrix, directory: Path, baseline: Matrix | None = None) -> list[Path]:
    """Write every format of the report into `directory`, each file atomically.

    Args:
        matrix: what was measured.
        directory: made if it is missing; other files in it stay.
        baseline: an earlier run to compare with; None compares with nothing.

    Returns:
        The files written, in the order of `FORMATS`.

    Raises:
        OSError: the directory cannot be written to.
    """
    page = page_of(matrix, baseline)
    written = []
    for format_ in FORMATS:
        path = directory / format_.FILENAME
        write_atomically(path, format_.render(page))
        written.append(path)
    return written
