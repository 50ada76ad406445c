"""`explain` knows every failure that a run measured, from what its traceback shows."""

import re

import pytest

from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from tests.truth.measured import RUN, Cell

_FRAME = re.compile(r"(?P<file>\S+):(?P<line>\d+) in (?P<function>\w+): (?P<code>.*)")


def as_traceback(cell: Cell) -> str:
    """What the user of these releases would paste; a cell keeps its frames in a shorter form."""
    assert cell.error is not None
    frames = "".join(
        f'  File "/env/site-packages/{frame["file"]}", line {frame["line"]}, '
        f"in {frame['function']}\n    {frame['code']}\n"
        for frame in _FRAME.finditer(cell.error.traceback)
    )
    said = f"{cell.error.type}: {cell.error.message}"
    return f"Traceback (most recent call last):\n{frames}{said}\n"


def test_every_failure_of_the_grid_is_known() -> None:
    kinds: dict[tuple[str, str], Cell] = {}
    for cell in RUN.cells("accelerate", "as-saved"):
        if cell.error is not None:
            kinds.setdefault((cell.error.type, re.sub(r"\d+", "", cell.error.message[:150])), cell)
    if not kinds:
        pytest.skip("nothing failed in this run")
    unknown = {
        kind: f"{cell.scenario}: {cell.writer} -> {cell.reader}"
        for kind, cell in kinds.items()
        if not diagnose(as_traceback(cell))[0].modes
    }
    assert unknown == {}
