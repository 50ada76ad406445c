"""Reports of a finished matrix: one model, one file for each format.

`page` works out once what a report says; a format is a module with a `FILENAME` and a pure
`render(page) -> bytes`. To add one, write it and name it in `FORMATS`, and in `DEFAULT` if every
run shall leave it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ckptmatrix.model import Matrix
from ckptmatrix.results.report import html, jsonfile, junit, markdown, packed
from ckptmatrix.results.report.page import Page, page_of
from ckptmatrix.util.files import write_atomically

__all__ = ["DEFAULT", "FORMATS", "Format", "write_page", "write_reports"]


class Format(Protocol):
    """What a module has to have to be a format."""

    FILENAME: str
    """Name of the file in a report's directory."""

    def render(self, page: Page) -> bytes:
        """Give the whole file."""


FORMATS: dict[str, Format] = {
    "matrix": packed,
    "html": html,
    "markdown": markdown,
    "junit": junit,
    "json": jsonfile,
}
"""Name of a format -> the module."""

DEFAULT = ("matrix", "html", "markdown", "junit")
"""What a run leaves, in the order in which it is written."""


def write_reports(
    matrix: Matrix,
    directory: Path,
    baseline: Matrix | None = None,
    formats: Iterable[str] = DEFAULT,
) -> list[Path]:
    """Write a report into `directory`, each file atomically.

    Args:
        matrix: what was measured.
        directory: made if it is missing; other files in it stay.
        baseline: an earlier run to compare with; None compares with nothing.
        formats: which of `FORMATS`.

    Returns:
        The files written, in that order.

    Raises:
        OSError: the directory cannot be written to.
    """
    return write_page(page_of(matrix, baseline), directory, formats)


def write_page(page: Page, directory: Path, formats: Iterable[str] = DEFAULT) -> list[Path]:
    """Write a report that is worked out already, as `write_reports` does."""
    written = []
    for format_ in (FORMATS[name] for name in formats):
        path = directory / format_.FILENAME
        write_atomically(path, format_.render(page))
        written.append(path)
    return written
