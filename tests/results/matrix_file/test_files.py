"""A run's file in both schemas: read back equal, refused when not understood."""

import gzip
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.model import CellRecord, Matrix, Problem, ProblemKind
from ckptmatrix.model.cell_table import OUTCOME_FIELDS, CellTable
from ckptmatrix.results.matrix_file import compact, expanded
from ckptmatrix.results.matrix_file.reading import decode, read_matrix
from tests.support import synthetic
from tests.support.places import BASIC_RUN

MATRIX = synthetic.matrix(["0.31.0", "0.33.0", "1.1.1", "1.15.0"], ["basic", "hooks"])


def document() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(gzip.decompress(compact.encode(MATRIX)))
    return found


@pytest.mark.parametrize(
    ("name", "encode"), [("matrix.json.gz", compact.encode), ("matrix.json", expanded.encode)]
)
def test_a_matrix_comes_back_equal_by_its_name_and_by_its_directory(
    tmp_path: Path, name: str, encode: Callable[[Matrix], bytes]
) -> None:
    (tmp_path / name).write_bytes(encode(MATRIX))
    assert read_matrix(tmp_path / name) == read_matrix(tmp_path) == MATRIX
    again = read_matrix(tmp_path)
    assert encode(again) == encode(MATRIX)
    assert expanded.encode(again) == expanded.encode(MATRIX)


def test_a_real_run_is_the_same_in_either_schema(tmp_path: Path) -> None:
    run = read_matrix(BASIC_RUN)
    packed, written_out = tmp_path / "a.gz", tmp_path / "b.json"
    packed.write_bytes(compact.encode(run))
    written_out.write_bytes(expanded.encode(run))
    assert read_matrix(packed) == read_matrix(written_out)


def test_what_lies_packed_is_meant_by_the_name_without_gz_and_comes_first(tmp_path: Path) -> None:
    other = replace(MATRIX, cells=())
    (tmp_path / "matrix.json.gz").write_bytes(compact.encode(MATRIX))
    assert read_matrix(tmp_path / "matrix.json") == MATRIX
    # What an earlier version left beside it.
    (tmp_path / "matrix.json").write_bytes(expanded.encode(other))
    assert read_matrix(tmp_path) == MATRIX
    assert read_matrix(tmp_path / "matrix.json") == other


def test_a_packed_file_of_the_first_schema_is_read(tmp_path: Path) -> None:
    """It is what earlier versions committed as a baseline."""
    (tmp_path / "matrix.json.gz").write_bytes(gzip.compress(expanded.encode(MATRIX)))
    assert read_matrix(tmp_path) == MATRIX


@pytest.mark.parametrize("damaged", [b"\x1f\x8b\x08" + bytes(20), compact.encode(MATRIX)[:-9]])
def test_a_damaged_file_is_told(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "matrix.json.gz").write_bytes(damaged)
    with pytest.raises(UsageError) as caught:
        read_matrix(tmp_path)
    assert caught.value.remedy


def test_outcomes_are_written_once() -> None:
    found = document()
    assert len(found["cells"]["outcome"]) == len(MATRIX.cells)
    distinct = {msgspec.json.encode([getattr(c, n) for n in OUTCOME_FIELDS]) for c in MATRIX.cells}
    assert len(found["outcomes"]) == len(distinct) < len(MATRIX.cells) / 10


def test_every_field_of_a_cell_is_in_the_file() -> None:
    """A field that is added to `CellRecord` is one of the outcome, or has a column."""
    assert {one.name for one in fields(compact.Outcome)} == set(OUTCOME_FIELDS)
    assert len(OUTCOME_FIELDS) == len(fields(CellRecord)) - 7


def test_a_record_is_made_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    table = CellTable.of(MATRIX.cells)
    made: list[int] = []
    record = CellTable._record

    def watched(self: CellTable, index: int) -> CellRecord:
        made.append(index)
        return record(self, index)

    monkeypatch.setattr(CellTable, "_record", watched)
    assert len(table) == len(MATRIX.cells)
    assert [place.scenario for place in table.places()] == [c.scenario for c in MATRIX.cells]
    assert made == []
    assert table[3] == MATRIX.cells[3]
    assert table[-1] == MATRIX.cells[-1]
    assert table[2:5] == MATRIX.cells[2:5]
    assert len(made) == 5
    assert table == MATRIX.cells
    assert MATRIX.cells == table
    assert table != MATRIX.cells[1:]


def test_problems_keep_their_kinds() -> None:
    problems = tuple(Problem(kind, f"one of {kind}") for kind in ProblemKind)
    matrix = replace(MATRIX, problems=problems)
    written = msgspec.json.decode(expanded.encode(matrix))
    assert written["problems"][0] == {"kind": "harness-failed", "text": "one of harness-failed"}
    assert decode(expanded.encode(matrix), "x") == matrix


def test_problems_of_a_version_without_kinds_are_read() -> None:
    written = msgspec.json.decode(expanded.encode(MATRIX))
    written["problems"] = ["something was wrong", {"kind": "expectation-stale", "text": "x"}]
    assert decode(msgspec.json.encode(written), "x").problems == (
        Problem(ProblemKind.OTHER, "something was wrong"),
        Problem(ProblemKind.EXPECTATION_STALE, "x"),
    )


def test_fields_of_a_later_version_are_passed_over() -> None:
    written = msgspec.json.decode(expanded.encode(MATRIX))
    written["added-later"] = {"x": 1}
    written["cells"][0]["added-later"] = [1]
    assert decode(msgspec.json.encode(written), "x") == MATRIX
    packed = document()
    packed["added-later"] = packed["cells"]["added-later"] = packed["outcomes"][0]["later"] = [1]
    assert decode(msgspec.json.encode(packed), "x") == MATRIX


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is no matrix.json"),
        (b"not json", "is no matrix.json"),
        (b"\xff\xfe", "is no matrix.json"),
        (b"[1]", "is no matrix.json"),
        (b"{}", "names no schema"),
        (b'{"schema": "ckptmatrix.matrix/3", "cells": 1}', "'ckptmatrix.matrix/3'"),
        (b'{"schema": "ckptmatrix.matrix/1"}', "does not keep to its schema"),
        (b'{"schema": "ckptmatrix.matrix/2"}', "does not keep to its schema"),
        (expanded.encode(MATRIX)[:-200], "is no matrix.json"),
        (expanded.encode(MATRIX).replace(b'"exact"', b'"fine"'), "Invalid enum value 'fine'"),
    ],
)
def test_what_is_no_matrix_is_refused_by_name_with_a_remedy(data: bytes, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode(data, "some/file.json")
    assert caught.value.message.startswith("some/file.json")
    assert told in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("column", ["writer", "reader", "scenario", "way", "outcome", "measured"])
@pytest.mark.parametrize("wrong", [-1, 10**6])
def test_an_index_that_means_nothing_is_refused(column: str, wrong: int) -> None:
    packed = document()
    packed["cells"][column][5] = wrong
    with pytest.raises(UsageError, match=f"out of range - at `.*{column}`"):
        decode(msgspec.json.encode(packed), "some/file.json")


@pytest.mark.parametrize("column", ["writer", "outcome", "milliseconds"])
def test_columns_of_another_length_are_refused(column: str) -> None:
    packed = document()
    packed["cells"][column].pop()
    with pytest.raises(UsageError, match="differ in length"):
        decode(msgspec.json.encode(packed), "some/file.json")


def test_a_file_name_that_is_no_unicode_is_written_with_a_question_mark() -> None:
    odd = synthetic.matrix(["0.33.0"], hostile="\udcff")
    read = decode(gzip.decompress(compact.encode(odd)), "x")
    assert any("?" in name for one in read.checkpoints for name in one.files)
