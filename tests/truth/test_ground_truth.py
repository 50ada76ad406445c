"""What is known of accelerate's releases, asserted against a real run.

The run is the scenario `basic` of the committed sample, or the matrix.json that CKPTMATRIX_MATRIX
names (CI names the one it has just made). These are checks of the measurement; the measurement
never sees them.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from ckptmatrix.model import MEASURED, CellRecord, EnvironmentRecord, Matrix, Status, Verdict
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import BASIC_RUN

SAMPLE = BASIC_RUN


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return read_matrix(Path(os.environ.get("CKPTMATRIX_MATRIX") or SAMPLE))


class End:
    """One end of a cell."""

    def __init__(self, environment: EnvironmentRecord) -> None:
        self.torch, self.numpy = (  # nothing is installed where a release cannot be had
            Version(found or "0") for found in (environment.torch, environment.numpy)
        )
        self.release = Version(environment.accelerate)

    def within(self, first: str, end: str = "99") -> bool:
        return Version(first) <= self.release < Version(end)

    @property
    def new_torch(self) -> bool:
        return self.torch >= Version("2.6")

    @property
    def numpy2(self) -> bool:
        return self.numpy.major == 2


def ends(matrix: Matrix) -> dict[str, End]:
    return {id_: End(record) for id_, record in matrix.environments.items()}


def cells(matrix: Matrix, chosen: Callable[[End, End], bool]) -> Iterator[CellRecord]:
    """Measured cells of scenario basic, plain; at least one, or the claim was not tested."""
    end = ends(matrix)
    found = [
        cell
        for cell in matrix.cells
        if (cell.scenario, cell.loader, cell.treatment) == ("basic", "accelerate", "as-saved")
        and cell.status in MEASURED
        and chosen(end[cell.writer], end[cell.reader])
    ]
    assert found, "this run has no cell that the claim is about"
    return iter(found)


def readable(writer: End, reader: End) -> bool:
    """Whether the reader gets past weights and scheduler, whose formats have changed as well."""
    scheduler = not writer.within("0", "0.15.0")
    weights = reader.within("0.25.0") or not writer.within("0.25.0")
    return scheduler and weights


def test_0_32_and_0_33_on_torch_213_miss_step_in_every_checkpoint(matrix: Matrix) -> None:
    def chosen(w: End, r: End) -> bool:
        return r.new_torch and r.within("0.32.0", "0.34.0") and readable(w, r)

    for cell in cells(matrix, chosen):
        assert cell.error is not None, cell
        assert (cell.error.type, cell.error.message) == ("KeyError", "'step'"), cell
        assert "load_state" in cell.error.traceback


def test_0_32_and_0_33_on_torch_24_miss_step_only_in_older_checkpoints(matrix: Matrix) -> None:
    def chosen(w: End, r: End) -> bool:
        return not r.new_torch and r.within("0.32.0", "0.34.0") and readable(w, r)

    for cell in cells(matrix, chosen):
        if ends(matrix)[cell.writer].within("0.32.0"):
            assert cell.status == Status.EXACT, cell
        else:
            assert cell.error is not None, cell
            assert cell.error.message == "'step'", cell


def test_releases_without_an_allow_list_lose_random_states_and_step(matrix: Matrix) -> None:
    def chosen(w: End, r: End) -> bool:
        era = r.within("0.25.0", "0.32.0") or r.within("0.34.0", "1.1.0")
        return r.new_torch and era and readable(w, r)

    for cell in cells(matrix, chosen):
        assert cell.status == Status.DEGRADED, cell
        for name in ("rng.python", "rng.numpy", "rng.torch"):
            assert cell.components[name] == Verdict.LOST, cell
        saved = ends(matrix)[cell.writer].within("0.32.0")
        assert cell.components["step"] == (Verdict.LOST if saved else Verdict.UNSAVED), cell
        assert any("weights_only" in error.message for error in cell.swallowed), cell


def test_another_numpy_major_degrades_readers_from_1_1_on(matrix: Matrix) -> None:
    def chosen(w: End, r: End) -> bool:
        return r.within("1.1.0") and w.numpy2 != r.numpy2 and readable(w, r)

    directions = set()
    for cell in cells(matrix, chosen):
        directions.add(ends(matrix)[cell.writer].numpy2)
        assert cell.status == Status.DEGRADED, cell
        assert cell.components["rng.numpy"] == Verdict.LOST, cell
    assert directions == {True, False}


def test_the_same_numpy_major_is_exact_from_1_1_on(matrix: Matrix) -> None:
    def chosen(w: End, r: End) -> bool:
        # 0.25.x uses its seedable sampler, whose place no checkpoint holds.
        sampler = w.within("0.25.0", "0.26.0")
        return r.within("1.1.0") and w.numpy2 == r.numpy2 and readable(w, r) and not sampler

    for cell in cells(matrix, chosen):
        assert cell.status == Status.EXACT, cell


def test_readers_before_0_25_do_not_find_safetensors(matrix: Matrix) -> None:
    def chosen(w: End, r: End) -> bool:
        return w.within("0.25.0") and r.within("0", "0.25.0")

    for cell in cells(matrix, chosen):
        assert cell.error is not None, cell
        assert cell.error.type == "FileNotFoundError", cell
        assert "pytorch_model.bin" in cell.error.message, cell


def test_what_the_metadata_forbids_is_not_run_with_the_resolvers_reason(matrix: Matrix) -> None:
    forbidden = [
        record
        for record in matrix.environments.values()
        if record.stack.endswith("-np2") and record.accelerate in ("0.32.0", "0.32.1", "0.33.0")
    ]
    assert forbidden
    for record in forbidden:
        assert record.status == "unavailable"
        assert "numpy" in record.reason
        assert "<2" in record.reason


def test_every_run_has_controls_that_passed(matrix: Matrix) -> None:
    names = {control.name for control in matrix.controls}
    assert {"null loader", "perfect loader", "twice the same", "altered model"} <= names
    assert all(control.passed for control in matrix.controls)
    assert matrix.run.controls == "passed"
