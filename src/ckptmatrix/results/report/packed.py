"""`matrix.json.gz`: the same as `matrix.json`, small enough to commit as a baseline.

Cells repeat each other, so a large run takes about a fiftieth.
"""

import gzip

from ckptmatrix.results.report import jsonfile
from ckptmatrix.results.report.page import Page

FILENAME = f"{jsonfile.FILENAME}.gz"
"""Name of the file in a report's directory."""


def render(page: Page) -> bytes:
    """Give the file; the same run gives the same bytes."""
    return gzip.compress(jsonfile.render(page), mtime=0)
