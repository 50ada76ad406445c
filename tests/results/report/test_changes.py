"""What changed as Markdown: named by what environments are, not by what their ids look like."""

from dataclasses import replace

from ckptmatrix.model import CellRecord, Matrix, Status
from ckptmatrix.results.findings.comparison import compare
from ckptmatrix.results.report.changes import changes_markdown
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
    if cell.status is not Status.EXACT or ends != {"torch2.15-np2"}:
        return cell
    return replace(cell, status=Status.CRASHED)


NEW = replace(OLD, cells=tuple(map(worse, OLD.cells)))
READERS = "1.1.1–1.15.0 on torch2.15-np2"
WRITERS = "every release on torch2.15-np2"


def test_cells_that_change_alike_are_one_row() -> None:
    diff = compare(OLD, NEW)
    told = changes_markdown(NEW, diff)
    assert told.startswith("**8 regressed** (144 cells compared)")
    assert f"| exact → crashed | {READERS} | {WRITERS} | basic | 8 |" in told.splitlines()


def test_ids_are_never_read() -> None:
    diff, by_number = compare(OLD, NEW), compare(numbered(OLD), numbered(NEW))
    assert changes_markdown(numbered(NEW), by_number) == changes_markdown(NEW, diff)


def test_what_only_the_old_run_describes_is_named_too() -> None:
    few = replace(
        OLD,
        environments={},
        cells=tuple(cell for cell in OLD.cells if "+torch2.15-np2" not in cell.reader),
    )
    told = changes_markdown(few, compare(OLD, few))
    assert "**48 gone**" in told
    for status, readers in (("exact", READERS), ("degraded", "0.31.0–0.34.2 on torch2.15-np2")):
        assert any(
            line.startswith(f"| {status}") and f"| {readers} |" in line
            for line in told.splitlines()
        )


def test_an_environment_that_no_run_describes_goes_by_its_id() -> None:
    [cell, *_] = NEW.cells
    lone = replace(OLD, environments={}, cells=(cell,))
    changed = replace(lone, cells=(replace(cell, status=Status.CRASHED),))
    assert f"| {cell.writer} |" in changes_markdown(changed, compare(lone, changed))
