"""What is said at the end of a run: the counts, what is wrong, and where the report is."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptmatrix.model import ControlsResult, Matrix, ProblemKind, Status
from ckptmatrix.plan.newer import sentence_of
from ckptmatrix.results.findings.comparison import ChangeKind
from ckptmatrix.results.findings.gpu import gpu_notes
from ckptmatrix.results.findings.turns import Turn
from ckptmatrix.results.report.page import Page

_SHOWN = 12
"""Turns that are told of."""

_AREAS = 3
"""Areas that are told of each."""


@dataclass(frozen=True)
class Conclusion:
    """The end of a run, in few enough words for a terminal."""

    counts: dict[str, int]
    """How many `cells`, how many of each status that occurs, how many `unexpected`."""
    wrong: tuple[str, ...]
    """Lines on what is not as it should be, alike loads together; one that starts with spaces
    belongs to the one before."""
    controls: str
    """Whether the controls passed, and how many there were."""
    measured: int
    """Loads measured in this run."""
    finished: str
    """When the report was made, ISO 8601 in UTC."""
    report: str
    """The page to read."""
    exit_code: int
    """0 all as expected, 1 unexpected outcomes, 3 a control failed or cells have no outcome."""
    newer: str = ""
    """Which releases are out and not measured, a sentence; empty if none is known of."""


def concluded(page: Page, report: Path) -> Conclusion:
    """The conclusion of a run whose report has been written."""
    matrix = page.matrix
    statuses = Counter(str(cell.status) for cell in matrix.cells)
    wrong = list(gpu_notes(matrix))
    for turn in page.wrong[:_SHOWN]:
        wrong += _said(turn)
    if len(page.wrong) > _SHOWN:
        wrong.append(f"... and {len(page.wrong) - _SHOWN} more of its kind; the report has all")
    wrong += [
        f"control failed: {one.name} / {one.scenario} / {one.environment}: {one.detail}"
        for one in matrix.controls
        if not one.passed
    ]
    wrong += [f"problem: {problem.text}" for problem in matrix.problems]
    return Conclusion(
        {
            "cells": len(matrix.cells),
            **{str(status): statuses[status] for status in Status if statuses[status]},
            "unexpected": len(page.unexpected),
        },
        tuple(wrong),
        f"{matrix.run.controls} ({len(matrix.controls)})",
        matrix.run.measured,
        matrix.run.finished,
        str(report),
        exit_code(matrix),
        sentence_of(matrix.run),
    )


def _said(turn: Turn) -> Iterator[str]:
    """What turned, where, why, and how to see it again, as lines for a terminal."""
    how = ["unexpected"] * turn.unexpected
    how += ["worse than in the baseline"] * (turn.change is ChangeKind.REGRESSED)
    expected = f" ({turn.expected})" if turn.expected else ""
    loads = "1 load" if turn.cells == 1 else f"{turn.cells} loads"
    yield f"{', '.join(how)}: {turn.title}{expected}: {loads}"
    for area in turn.areas[:_AREAS]:
        names = ", ".join(area.scenarios)
        yield f"  loaded with {area.readers}, saved with {area.writers}: {names}"
    left = len(turn.areas) - _AREAS
    if left > 0:
        yield f"  and {left} smaller {'area' if left == 1 else 'areas'}"
    if turn.cause:
        yield f"  because: {turn.cause}"
    yield f"  again: `{turn.areas[0].command}`"


def exit_code(matrix: Matrix) -> int:
    """0 all as expected, 1 unexpected outcomes, 3 a control failed or cells have no outcome."""
    harness_failed = any(one.kind is ProblemKind.HARNESS_FAILED for one in matrix.problems)
    if matrix.run.controls is not ControlsResult.PASSED or harness_failed:
        return 3
    unexpected = any(cell.expected is False for cell in matrix.cells)
    return 1 if unexpected or matrix.problems else 0
