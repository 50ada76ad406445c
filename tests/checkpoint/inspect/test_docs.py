"""What the pages show is what the command prints."""

import re

import pytest

from ckptmatrix.checkpoint.inspect.console import outcome_text
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.outlook import outlook
from tests.support.places import LORA, ROOT

DOCS = ROOT / "docs"


def _rows() -> list[tuple[str, ...]]:
    """The outlook table of the founding page: (accelerate, torch, numpy, outcome)."""
    page = (DOCS / "founding-case.md").read_text()
    table = page.partition("   accelerate         torch")[2].partition("```")[0]
    rows, releases = [], ""
    for line in table.splitlines()[1:]:
        *front, outcome = re.split(r"\s{2,}", line.strip(), maxsplit=3 if line[3] != " " else 2)
        releases = front.pop(0) if len(front) == 3 else releases
        rows.append((releases, *front, outcome))
    return rows


def test_there_are_rows() -> None:
    assert len(_rows()) > 8


@pytest.mark.parametrize("row", _rows(), ids=" | ".join)
def test_the_founding_pages_table_is_what_is_predicted(row: tuple[str, ...]) -> None:
    boxes = outlook(gather(LORA))
    assert row in [
        (str(box.accelerate), str(box.torch), str(box.numpy), outcome_text(box.outcome).plain)
        for box in boxes
    ]
