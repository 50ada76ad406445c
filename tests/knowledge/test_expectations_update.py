"""--update-expectations: afterwards the file is true for the run, and only for it."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptmatrix.knowledge import expectations_update
from ckptmatrix.knowledge.expectations import lay_over, read_expectations
from ckptmatrix.model import Cause, CellRecord, ControlsResult, Device, Matrix, RunRecord
from tests.support.cells import cell

RELEASES = ("0.24.1", "0.31.0", "0.33.0", "1.0.1", "1.15.0")
STACKS = ("torch2.4-np1", "torch2.13-np2")
CAUSES = {"step": Cause("no step", "", "", ("https://example.org/1",)), "rng": Cause("rng", "", "")}


def matrix_of(*cells: CellRecord) -> Matrix:
    return Matrix(
        RunRecord("0", "", "", Device.CPU, "", "eras", ControlsResult.PASSED), {}, (), cells, CAUSES
    )


def settled(path: Path, matrix: Matrix) -> Matrix:
    return lay_over(matrix, read_expectations(path), "eras", date(2026, 1, 1))


def updated(path: Path, matrix: Matrix) -> tuple[int, int, int]:
    return expectations_update.update(path, read_expectations(path), matrix)


def outcome(kind: int, writer: str, reader: str) -> CellRecord:
    if kind == 0:
        return cell(writer, reader)
    if kind == 1:
        return cell(writer, reader, "failed", error="KeyError: 'step'", cause="step")
    if kind == 2:
        return cell(writer, reader, "degraded", lost=("rng.numpy",), cause="rng")
    return cell(writer, reader, "not-run")


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=100, max_size=100))
def test_afterwards_the_file_is_true(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[int]
) -> None:
    path = tmp_path_factory.mktemp("e") / "expectations.toml"
    ends = [f"{release}+{stack}" for stack in STACKS for release in RELEASES]
    pairs = [(writer, reader) for writer in ends for reader in ends]
    matrix = matrix_of(*(outcome(k, *pair) for k, pair in zip(kinds, pairs, strict=True)))
    updated(path, matrix)
    after = settled(path, matrix)
    assert all(found.expected is not False for found in after.cells)
    assert not after.problems
    text = path.read_text()
    updated(path, matrix)
    assert path.read_text() == text


def test_neighbours_become_one_rectangle(tmp_path: Path) -> None:
    path = tmp_path / "expectations.toml"
    failing = [
        cell(f"{w}+{s}", f"{r}+{s}", "failed", error="KeyError: 'step'", cause="step")
        for w in RELEASES
        for r in ("0.31.0", "0.33.0")
        for s in STACKS
    ]
    _, added, _ = updated(path, matrix_of(*failing))
    (entry,) = read_expectations(path).entries if added == 1 else (None,)
    assert entry is None or entry.link == "https://example.org/1"
    assert added == 2  # one for each stack with itself


def test_comments_stay_and_what_no_longer_holds_goes(tmp_path: Path) -> None:
    path = tmp_path / "expectations.toml"
    path.write_text(
        '# The head.\ntier = "eras"\n\n[[expectation]]\nreader = "==0.33.0"  # kept\n'
        "status = 'failed'\nmessage = 'step'\nreason = 'r'\nlink = 'l'\n\n"
        "[[expectation]]\nreader = '==1.15.0'\nstatus = 'failed'\nmessage = 'x'\n"
        "reason = 'gone'\nlink = 'l'\n"
    )
    matrix = matrix_of(
        cell(reader="0.33.0+s", status="failed", error="KeyError: 'step'", cause="step"),
        cell(reader="1.15.0+s"),
    )
    assert updated(path, matrix) == (1, 0, 1)
    text = path.read_text()
    assert "# The head." in text
    assert "# kept" in text
    assert "gone" not in text


def test_an_outcome_without_a_known_cause_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "expectations.toml"
    matrix = matrix_of(cell(status="failed", error="OSError: strange"))
    assert updated(path, matrix)[1] == 0
    assert settled(path, matrix).cells[0].expected is False


ENTRY = """
[[expectation]]
scenario = {}
status = 'failed'
message = 'x'
reason = '{}'
link = 'l'
"""


def test_a_run_of_less_than_the_tier_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "expectations.toml"
    path.write_text(
        'tier = "eras"\n'
        + ENTRY.format("'tied-weights'", "elsewhere")
        + ENTRY.format("'basic'", "gone")
        + ENTRY.format("['basic', 'bf16']", "half")
    )
    matrix = matrix_of(cell())
    known = read_expectations(path)
    assert expectations_update.update(path, known, matrix, whole=False) == (1, 0, 2)
    left = {entry.reason: entry.scenario for entry in read_expectations(path).entries}
    assert left == {"elsewhere": ("tied-weights",), "half": ("bf16",)}
    assert updated(path, matrix) == (0, 0, 2)
