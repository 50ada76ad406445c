"""What changed, in groups: named by what environments are, not by what their ids look like."""

from dataclasses import replace

from ckptmatrix.model import CellRecord, Matrix, Status
from ckptmatrix.results.findings.comparison import compare
from ckptmatrix.results.report.changes import ChangeGroup, changes_markdown, groups_of
from tests.support import synthetic

OLD = synthetic.matrix(["0.31.0", "0.34.2", "1.1.1", "1.15.0"], views=(("accelerate", "as-saved"),))


def numbered(matrix: Matrix) -> Matrix:
    """The same with ids that say nothing."""
    ids = {id_: f"environment-{number}" for number, id_ in enumerate(matrix.environments)}
    return replace(
        matrix,
        environments={ids[id_]: record for id_, record in matrix.environments.items()},
        cells=tuple(
            replace(cell, writer=ids[cell.writer], reader=ids[cell.reader]) for cell in matrix.cells
        ),
    )


def worse(cell: CellRecord) -> CellRecord:
    """Crashes wherever the newest torch and numpy were exact with themselves."""
    ends = {cell.writer.partition("+")[2], cell.reader.partition("+")[2]}
    if cell.status is not Status.EXACT or ends != {"torch2.13-np2"}:
        return cell
    return replace(cell, status=Status.CRASHED)


NEW = replace(OLD, cells=tuple(map(worse, OLD.cells)))
WRITERS = "0.31.0–1.15.0 (4 releases) on torch2.13-np2"
READERS = "1.1.1, 1.15.0 on torch2.13-np2"


def test_cells_of_the_same_stacks_that_change_alike_are_one_group() -> None:
    diff = compare(OLD, NEW)
    assert groups_of(diff, diff.changes) == [
        ChangeGroup("exact → crashed", WRITERS, READERS, "basic", len(diff.changes))
    ]
    row = f"| exact → crashed | {WRITERS} | {READERS} | basic | {len(diff.changes)} |"
    assert row in changes_markdown(diff).splitlines()


def test_ids_are_never_read() -> None:
    diff, by_number = compare(OLD, NEW), compare(numbered(OLD), numbered(NEW))
    assert changes_markdown(by_number) == changes_markdown(diff)


def test_what_only_the_old_run_describes_is_named_too() -> None:
    few = replace(
        OLD,
        environments={},
        cells=tuple(cell for cell in OLD.cells if "+torch2.13-np2" not in cell.reader),
    )
    diff = compare(OLD, few)
    found = {group.readers for group in groups_of(diff, diff.changes)}
    assert found == {WRITERS, READERS, "0.31.0, 0.34.2 on torch2.13-np2"}


def test_an_environment_that_no_run_describes_goes_by_its_id() -> None:
    [cell, *_] = NEW.cells
    lone = replace(OLD, environments={}, cells=(cell,))
    changed = replace(lone, cells=(replace(cell, status=Status.CRASHED),))
    [group] = groups_of(diff := compare(lone, changed), diff.changes)
    assert group.writers == f"{cell.writer} on ?"
