"""Addresses within the page: what its scripts show when they are followed."""

from urllib.parse import urlencode

from ckptmatrix.model import CellRecord, Environment, Matrix
from ckptmatrix.results.findings.turns import TurnArea
from ckptmatrix.results.findings.views import view_of, views_of
from ckptmatrix.util.terminal_text import clean_lines

EVERY_SCENARIO = "*"
"""As `data.js` calls it."""


def cell_link(matrix: Matrix, cell: CellRecord) -> str:
    """Give the fragment that opens a cell; empty where the run has no such environments."""
    ends = [matrix.environments.get(id_) for id_ in (cell.writer, cell.reader)]
    ids = [Environment(end.accelerate, end.stack).id for end in ends if end is not None]
    if len(ids) < 2:
        return ""
    return _fragment(matrix, cell, cell.scenario, cell="~".join(ids))


def area_link(matrix: Matrix, area: TurnArea) -> str:
    """Give the fragment that shows an area in the grid, among all else that turned."""
    names = area.scenarios
    return _fragment(
        matrix,
        area.cells[0],
        names[0] if len(names) == 1 else EVERY_SCENARIO,
        saved="",
        loaded="",
        changed="1",
    )


def _fragment(matrix: Matrix, load: CellRecord, scenario: str, **more: str) -> str:
    views, way = views_of(matrix), view_of(load)
    view = views.index(way) if way in views else 0
    chosen = {"view": view} if view else {}
    texts = {"scenario": scenario, **more}
    # As the page's scripts know them.
    return "#" + urlencode({**chosen, **{name: clean_lines(text) for name, text in texts.items()}})
