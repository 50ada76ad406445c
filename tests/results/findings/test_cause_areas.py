"""Boxes of versions: found from outcomes alone, and honest about what they cover."""

from dataclasses import replace

import pytest

from ckptmatrix.model import CellRecord, ErrorRecord, Matrix, Status
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.cause_areas import Finding, findings_of
from tests.support import synthetic


def findings(matrix: Matrix) -> dict[str, Finding]:
    return {finding.id: finding for finding in findings_of(matrix, axis_of(matrix))}


@pytest.fixture(scope="module")
def found() -> dict[str, Finding]:
    return findings(synthetic.matrix())


def words(finding: Finding) -> set[tuple[str, str]]:
    return {(area.readers, area.writers) for area in finding.areas}


def test_a_cause_of_the_readers_torch_names_torch_and_the_readers(
    found: dict[str, Finding],
) -> None:
    assert ("readers 0.32.1–0.33.0 on torch 2.15.0", "saved with any tested release") in words(
        found["unguarded-step"]
    )


def test_the_same_failure_from_older_writers_is_a_box_of_its_own(found: dict[str, Finding]) -> None:
    assert ("readers 0.32.1–0.33.0", "saved with 0.14.0–0.31.0") in words(found["unguarded-step"])


def test_a_difference_of_numpy_makes_two_boxes_that_name_numpy(found: dict[str, Finding]) -> None:
    assert words(found["numpy-major"]) == {
        ("readers 1.1.1–1.15.0 on numpy 2.4.6", "saved with any tested release on numpy 1.26.4"),
        ("readers 1.1.1–1.15.0 on numpy 1.26.4", "saved with any tested release on numpy 2.4.6"),
    }


def test_a_boundary_on_both_sides_needs_no_stack(found: dict[str, Finding]) -> None:
    assert words(found["no-safetensors"]) == {("readers 0.14.0–0.24.1", "saved with 0.25.0–1.15.0")}


def test_every_bad_cell_is_in_a_box_and_no_box_holds_a_load_without_the_cause(
    found: dict[str, Finding],
) -> None:
    for finding in found.values():
        assert sum(area.region.cells for area in finding.areas) >= finding.cells
        for area in finding.areas:
            assert area.region.cells == area.region.measured


def test_swapping_one_factor_says_what_becomes_of_the_cells(found: dict[str, Finding]) -> None:
    [area] = found["weights-only-flip"].areas
    swaps = {swap.factor: swap for swap in area.swaps}
    assert (swaps["reader's torch"].old, swaps["reader's torch"].new) == ("2.15.0", "2.4.1")
    assert (swaps["reader's accelerate"].old, swaps["reader's accelerate"].new) == (
        "1.0.1",
        "1.1.1",
    )
    assert Status.EXACT in swaps["reader's torch"].becomes.by_status
    # np1 and np2 differ from torch2.4-np1 in torch alone and in torch and numpy; only the former
    # is a swap of one factor.
    assert "reader's numpy" not in swaps


def test_failures_without_a_cause_come_first_and_are_grouped_by_their_message() -> None:
    matrix = synthetic.matrix()

    def odd(cell: CellRecord) -> CellRecord:
        if cell.loader == "ckptmatrix" or "1.4.0+torch2.4" not in cell.reader:
            return cell
        error = ErrorRecord("OSError", f"bad block {len(cell.writer) * 7919}")
        return replace(cell, status=Status.FAILED, error=error, cause=None)

    ordered = findings_of(replace(matrix, cells=tuple(map(odd, matrix.cells))), axis_of(matrix))
    assert not ordered[0].known
    assert ordered[0].id == "failed: OSError: bad block #"
    assert words(ordered[0]) == {("readers 1.4.0 on torch 2.4.1", "saved with any tested release")}
    assert all(finding.known for finding in ordered[1:])


def test_a_hole_that_is_exact_splits_the_box() -> None:
    matrix = synthetic.matrix()
    axis = axis_of(matrix)
    hole = ("accelerate-1.0.1+torch2.15-np1", "accelerate-0.20.3+torch2.15-np1")
    cells = tuple(
        replace(cell, status=Status.EXACT, cause=None, components={}, differences={})
        if (cell.writer, cell.reader) == hole
        else cell
        for cell in matrix.cells
    )
    before = findings(matrix)["no-safetensors"]
    after = {f.id: f for f in findings_of(replace(matrix, cells=cells), axis)}["no-safetensors"]
    assert after.cells == before.cells - 1
    assert len(after.areas) > len(before.areas)
    assert all(area.region.cells == area.region.measured for area in after.areas)


def test_what_newer_readers_never_come_to_is_not_claimed_of_them() -> None:
    matrix = synthetic.matrix(["0.31.0", "0.33.0", "1.1.1", "1.15.0"])
    cells = tuple(
        replace(c, status=Status.FAILED, cause="another", error=ErrorRecord("OSError", "x"))
        if c.reader.startswith("accelerate-1.")
        else c
        for c in matrix.cells
    )
    told = {
        readers for readers, _ in words(findings(replace(matrix, cells=cells))["unguarded-step"])
    }
    assert told == {"readers 0.33.0 on torch 2.15.0", "readers 0.33.0"}


def test_a_box_grows_until_no_factor_moves() -> None:
    """What raises for another reason speaks for nothing, so one round stops at it; the next not."""
    matrix = synthetic.matrix(["0.31.0", "0.34.2", "1.0.1"])
    oldest, newest = "accelerate-0.31.0", "accelerate-1.0.1"

    def hidden(cell: CellRecord) -> bool:
        other = cell.writer.startswith(oldest) and not cell.reader.startswith(oldest)
        return other or (cell.writer.startswith(newest) and cell.reader.startswith(oldest))

    error = ErrorRecord("OSError", "another")
    cells = tuple(
        replace(c, status=Status.FAILED, cause="another", error=error) if hidden(c) else c
        for c in matrix.cells
    )
    [area] = findings(replace(matrix, cells=cells))["weights-only-flip"].areas
    assert (area.readers, area.writers) == (
        "any tested reader on torch 2.15.0",
        "saved with any tested release",
    )


def test_a_scenario_that_behaves_otherwise_gets_its_own_box() -> None:
    matrix = synthetic.matrix(["0.31.0", "0.33.0", "1.0.1", "1.15.0"], ["basic", "hooks"])
    cells = tuple(
        replace(c, status=Status.EXACT, cause=None, components={}, differences={})
        if c.scenario == "hooks" and c.writer.startswith("accelerate-0.31.0")
        else c
        for c in matrix.cells
    )
    boxes = {
        (area.region.scenarios, area.region.writer.first)
        for area in findings(replace(matrix, cells=cells))["numpy-major"].areas
    }
    assert (("basic",), "0.31.0") in boxes
    with_hooks = {first for scenarios, first in boxes if "hooks" in scenarios}
    assert with_hooks == {"0.33.0", "1.0.1"}


def test_a_scenario_that_lacks_some_releases_needs_no_box_of_its_own() -> None:
    """`stateful-dataloader` is unsupported before 0.34.0, which speaks against nothing."""
    matrix = synthetic.matrix(
        ["0.31.0", "0.33.0", "1.0.1", "1.15.0"], ["basic", "stateful-dataloader"]
    )
    areas = findings(matrix)["numpy-major"].areas
    assert {area.region.scenarios for area in areas} == {("basic", "stateful-dataloader")}
    assert {area.region.writer.first for area in areas} == {"0.31.0"}
    assert sum(area.region.cells for area in areas) == findings(matrix)["numpy-major"].cells


def test_a_cell_that_is_there_twice_with_contrary_outcomes_is_still_put_into_boxes() -> None:
    matrix = synthetic.matrix(["0.31.0", "0.33.0", "1.15.0"])
    bad = next(cell for cell in matrix.cells if cell.cause == "numpy-major")
    good = replace(bad, status=Status.EXACT, cause=None, components={}, differences={})
    twice = replace(matrix, cells=(*matrix.cells, good))
    assert findings(twice)["numpy-major"].cells == findings(matrix)["numpy-major"].cells
