"""Regressed, fixed, changed, new, gone."""

from dataclasses import replace
from typing import Any

import pytest

from ckptmatrix.model import CellRecord, Device, ErrorRecord, Matrix, Status, Verdict
from ckptmatrix.results.findings.comparison import ChangeKind, compare, on_common_ground
from tests.support import synthetic

OLD = synthetic.matrix(["0.33.0", "1.15.0"], views=(("accelerate", "as-saved"),))
EXACT = next(cell for cell in OLD.cells if cell.status is Status.EXACT)
DEGRADED = next(cell for cell in OLD.cells if cell.status is Status.DEGRADED)
FAILED = next(cell for cell in OLD.cells if cell.status is Status.FAILED)
NOT_RUN = next(cell for cell in OLD.cells if cell.status is Status.NOT_RUN)


def with_cell(cell: CellRecord, **fields: Any) -> Matrix:
    changed = replace(cell, **fields)
    return replace(OLD, cells=tuple(changed if c is cell else c for c in OLD.cells))


def test_a_run_does_not_differ_from_itself_whatever_its_times() -> None:
    later = replace(OLD, cells=tuple(replace(c, seconds=9.0, measured="x") for c in OLD.cells))
    diff = compare(OLD, later)
    assert diff.changes == ()
    assert diff.sentence == "nothing changed"
    assert diff.compared == sum(cell.status is not Status.NOT_RUN for cell in OLD.cells)


@pytest.mark.parametrize(
    ("cell", "fields", "change"),
    [
        (EXACT, {"status": Status.DEGRADED}, ChangeKind.REGRESSED),
        (EXACT, {"status": Status.FAILED}, ChangeKind.REGRESSED),
        (DEGRADED, {"status": Status.FAILED}, ChangeKind.REGRESSED),
        (
            DEGRADED,
            {"components": {**DEGRADED.components, "model": Verdict.LOST}},
            ChangeKind.REGRESSED,
        ),
        (DEGRADED, {"status": Status.EXACT}, ChangeKind.FIXED),
        (FAILED, {"status": Status.EXACT}, ChangeKind.FIXED),
        (FAILED, {"status": Status.DEGRADED}, ChangeKind.CHANGED),
        (FAILED, {"error": ErrorRecord("OSError", "x")}, ChangeKind.CHANGED),
        (FAILED, {"cause": "another"}, ChangeKind.CHANGED),
        (NOT_RUN, {"status": Status.EXACT}, ChangeKind.NEW),
        (EXACT, {"status": Status.NOT_RUN}, ChangeKind.GONE),
    ],
)
def test_each_kind_of_change(cell: CellRecord, fields: dict[str, Any], change: ChangeKind) -> None:
    diff = compare(OLD, with_cell(cell, **fields))
    assert [item.change for item in diff.changes] == [change]
    assert diff.counts[change] == 1
    assert diff.sentence == f"1 {change}"


def test_cells_of_another_release_are_new_and_gone() -> None:
    few = synthetic.matrix(["1.15.0"], views=(("accelerate", "as-saved"),))
    assert {item.change for item in compare(few, OLD).changes} == {ChangeKind.NEW}
    assert {item.change for item in compare(OLD, few).changes} == {ChangeKind.GONE}


def on_cuda(matrix: Matrix) -> Matrix:
    """The same run as it would be on a GPU."""
    names = {id_: f"{id_}+cuda" for id_ in matrix.environments}
    return replace(
        matrix,
        run=replace(matrix.run, device=Device.CUDA),
        environments={
            names[id_]: replace(record, stack=f"{record.stack}+cuda", device=Device.CUDA)
            for id_, record in matrix.environments.items()
        },
        cells=tuple(
            replace(cell, writer=names[cell.writer], reader=names[cell.reader])
            for cell in matrix.cells
        ),
    )


def test_a_gpus_outcomes_are_not_compared_with_a_cpus_and_that_is_said() -> None:
    gpu = on_cuda(OLD)
    both = replace(
        gpu, environments=OLD.environments | gpu.environments, cells=(*OLD.cells, *gpu.cells)
    )
    diff = compare(on_common_ground(OLD, both), both)
    assert diff.compared == compare(OLD, OLD).compared
    assert {item.change for item in diff.changes} == {ChangeKind.NEW}
    assert diff.sentence.endswith(" new; nothing to compare with on cuda")
    assert compare(both, both).sentence == "nothing changed"


def test_a_run_on_a_gpu_whose_ids_did_not_say_so_is_compared_with_none_on_the_cpu() -> None:
    legacy = replace(OLD, run=replace(OLD.run, device=Device.CUDA))
    assert on_common_ground(legacy, OLD).cells == ()
    assert compare(on_common_ground(legacy, OLD), OLD).sentence.endswith("compare with on cpu")


def test_a_smaller_run_misses_nothing_of_a_larger_one() -> None:
    few = synthetic.matrix(["1.15.0"])
    assert not compare(on_common_ground(OLD, few), few).of(ChangeKind.GONE)


def test_a_remedy_that_is_no_longer_needed_is_not_gone() -> None:
    remedy = replace(DEGRADED, loader="ckptmatrix", status=Status.EXACT, cause=None)
    old = replace(OLD, cells=(*OLD.cells, remedy))
    still = compare(on_common_ground(old, with_cell(DEGRADED)), with_cell(DEGRADED))
    whole = with_cell(DEGRADED, status=Status.EXACT)
    assert remedy not in [item.cell for item in still.changes]
    assert [item.change for item in compare(on_common_ground(old, whole), whole).changes] == [
        ChangeKind.FIXED
    ]


def test_a_remedy_that_was_measured_in_both_though_it_is_not_needed_is_compared() -> None:
    remedy = replace(EXACT, loader="ckptmatrix")
    both = replace(OLD, cells=(*OLD.cells, remedy))
    assert compare(on_common_ground(both, both), both).changes == ()
    harmed = replace(OLD, cells=(*OLD.cells, replace(remedy, status=Status.DEGRADED)))
    regressed = compare(on_common_ground(both, harmed), harmed)
    assert [item.change for item in regressed.changes] == [ChangeKind.REGRESSED]
