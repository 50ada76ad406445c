"""What is said at the end of a run: the counts, what is wrong, and where the report is."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ckptmatrix.model import ControlsResult, Matrix, ProblemKind, Status, summary
from ckptmatrix.plan.newer import sentence_of
from ckptmatrix.results.findings.gpu import gpu_notes

_SHOWN = 20


@dataclass(frozen=True)
class Conclusion:
    """The end of a run, in few enough words for a terminal."""

    counts: dict[str, int]
    """How many `cells`, how many of each status that occurs, how many `unexpected`."""
    wrong: tuple[str, ...]
    """A line for each thing that is not as it should be; of unexpected cells the first ones."""
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


def concluded(matrix: Matrix, report: Path) -> Conclusion:
    """The conclusion of a judged matrix whose report has been written."""
    statuses = Counter(str(cell.status) for cell in matrix.cells)
    unexpected = [cell for cell in matrix.cells if cell.expected is False]
    wrong = list(gpu_notes(matrix))
    wrong += [
        f"unexpected: {cell.scenario} / {cell.writer} / {cell.reader}: {cell.status}: "
        f"{summary(cell)}" + (f" ({cell.expectation})" if cell.expectation else "")
        for cell in unexpected[:_SHOWN]
    ]
    if len(unexpected) > _SHOWN:
        wrong.append(f"... and {len(unexpected) - _SHOWN} more; the report has all")
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
            "unexpected": len(unexpected),
        },
        tuple(wrong),
        f"{matrix.run.controls} ({len(matrix.controls)})",
        matrix.run.measured,
        matrix.run.finished,
        str(report),
        exit_code(matrix),
        sentence_of(matrix.run),
    )


def exit_code(matrix: Matrix) -> int:
    """0 all as expected, 1 unexpected outcomes, 3 a control failed or cells have no outcome."""
    harness_failed = any(one.kind is ProblemKind.HARNESS_FAILED for one in matrix.problems)
    if matrix.run.controls is not ControlsResult.PASSED or harness_failed:
        return 3
    unexpected = any(cell.expected is False for cell in matrix.cells)
    return 1 if unexpected or matrix.problems else 0
