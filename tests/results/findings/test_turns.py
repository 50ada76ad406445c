"""What turned is said once: alike loads together, with where, why, and how to see it again."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace

from ckptmatrix.model import CellRecord, ErrorRecord, Matrix, Status, Verdict
from ckptmatrix.results.findings.comparison import ChangeKind, compare
from ckptmatrix.results.findings.reproducing import MOST, command_for
from ckptmatrix.results.findings.turns import Turn, changed_turns, wrong_turns
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support import synthetic
from tests.support.places import BASIC_RUN, ROOT

RELEASES = ["0.31.0", "0.33.0", "1.1.1", "1.15.0"]
OLD = synthetic.matrix(RELEASES, ["basic", "hooks", "stateful-dataloader"])
RAISED = ErrorRecord("KeyError", "'step'")


def newest_raises(matrix: Matrix) -> Matrix:
    """The newest release raises on whatever it loaded exactly on the newest torch."""

    def altered(cell: CellRecord) -> CellRecord:
        if "-1.15.0+torch2.15" not in cell.reader or cell.status is not Status.EXACT:
            return cell
        return replace(cell, status=Status.FAILED, error=RAISED, expected=False)

    return replace(matrix, cells=tuple(map(altered, matrix.cells)))


NEW = newest_raises(OLD)
RED = tuple(cell for cell in NEW.cells if cell.expected is False)


def cells_of(turns: tuple[Turn, ...]) -> list[CellRecord]:
    return [cell for turn in turns for area in turn.areas for cell in area.cells]


def test_every_load_that_turned_is_in_one_group_and_no_other_is() -> None:
    for diff in (None, compare(OLD, NEW)):
        turns = wrong_turns(NEW, diff)
        assert sorted(map(repr, cells_of(turns))) == sorted(map(repr, RED))
        assert sum(turn.cells for turn in turns) == len(RED) > 20


def test_what_is_unexpected_and_worse_is_told_as_one_thing() -> None:
    turns = wrong_turns(NEW, compare(OLD, NEW))
    assert {(turn.unexpected, turn.change) for turn in turns} == {(True, ChangeKind.REGRESSED)}
    assert {turn.what for turn in turns} == {"exact → failed (KeyError)"}
    assert [turn.view.title for turn in turns] == ["With ckptmatrix.resume", "As it is today"]
    assert {turn.what for turn in wrong_turns(NEW, None)} == {"failed (KeyError)"}


def test_scenarios_that_lack_some_writers_are_no_group_of_their_own() -> None:
    """The stateful dataloader came with 0.34.0, so fewer writers have it."""
    [resumed, today] = wrong_turns(NEW, None)
    [area] = resumed.areas
    assert area.scenarios == ("basic", "hooks", "stateful-dataloader")
    assert area.readers == "1.15.0 on torch2.15-np1 and torch2.15-np2"
    assert today.areas[0].scenarios == ("basic", "hooks")
    assert today.areas[0].readers == "1.15.0 on torch2.15-np1"
    assert "torch2.15-np2" not in today.areas[0].writers


def test_what_is_lost_is_told_the_worst_first() -> None:
    odd = replace(
        OLD.cells[0],
        status=Status.DEGRADED,
        components={"rng.torch": Verdict.LOST, "model": Verdict.WRONG},
        expected=False,
        expectation="expected: exact",
    )
    [turn] = wrong_turns(replace(OLD, cells=(odd, *OLD.cells[1:])), None)
    assert turn.title == "degraded; loses model, rng.torch"
    assert turn.expected == "expected: exact"


def test_what_is_no_worse_is_not_red() -> None:
    diff = compare(NEW, OLD)
    assert wrong_turns(OLD, diff) == ()
    fixed = changed_turns(OLD, diff, [ChangeKind.FIXED])
    assert sum(turn.cells for turn in fixed) == len(RED)
    assert changed_turns(OLD, diff, [ChangeKind.NEW]) == ()


def test_the_command_plans_the_loads_of_an_area() -> None:
    """Of a real run: every load of the area is in the plan that its command comes to."""
    matrix = read_matrix(BASIC_RUN)
    old = [id_ for id_ in matrix.environments if id_.endswith("+torch2.4-np1")]
    chosen = [
        cell
        for cell in matrix.cells
        if {cell.writer, cell.reader} <= set(old[-2:]) and cell.loader == "accelerate"
    ]
    command = command_for(matrix, chosen)
    asked = shlex.split(command.removeprefix("ckptmatrix run "))
    planned = subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "plan", "--cells", *asked],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"^\s*4 cells", planned.stdout, re.MULTILINE)
    everything = command_for(matrix, matrix.cells)
    assert len(everything) <= MOST
    assert " or " not in everything
