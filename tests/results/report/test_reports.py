"""All formats from one matrix: written whole, read back, refused when not understood."""

import gzip
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.model import MEASURED, Problem, ProblemKind, Status
from ckptmatrix.results.report import FORMATS, read_matrix, write_reports
from ckptmatrix.results.report.jsonfile import decode, encode
from ckptmatrix.results.report.page import page_of
from tests.support import synthetic

MATRIX = synthetic.matrix(["0.31.0", "0.33.0", "1.1.1", "1.15.0"])


def test_every_format_is_written_and_nothing_else_stays(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "reports"
    written = write_reports(MATRIX, directory)
    names = ["matrix.json", "matrix.json.gz", "index.html", "matrix.md", "junit.xml"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in directory.iterdir()) == sorted(names)
    assert all(path.stat().st_size for path in written)


def test_a_report_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [path, *_] = write_reports(MATRIX, tmp_path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_reports(replace(MATRIX, cells=()), tmp_path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == len(FORMATS)


def test_the_matrix_comes_back_equal(tmp_path: Path) -> None:
    write_reports(MATRIX, tmp_path)
    assert read_matrix(tmp_path) == MATRIX
    assert read_matrix(tmp_path / "matrix.json") == MATRIX


def test_a_gzipped_matrix_is_read_by_its_name_and_by_its_directory(tmp_path: Path) -> None:
    packed = tmp_path / "matrix.json.gz"
    packed.write_bytes(gzip.compress(encode(MATRIX)))
    assert read_matrix(packed) == read_matrix(tmp_path) == MATRIX
    packed.write_bytes(gzip.compress(encode(MATRIX))[:-9])
    with pytest.raises(UsageError, match="cannot be read"):
        read_matrix(packed)
    packed.write_bytes(b"\x1f\x8b\x08" + bytes(20))
    with pytest.raises(UsageError) as caught:
        read_matrix(packed)
    assert caught.value.remedy


def test_rendering_again_from_the_file_gives_the_same_bytes(tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in write_reports(MATRIX, tmp_path / "a")}
    again = write_reports(read_matrix(tmp_path / "a"), tmp_path / "b")
    assert {path.name: path.read_bytes() for path in again} == first


def test_problems_keep_their_kinds() -> None:
    problems = tuple(Problem(kind, f"one of {kind}") for kind in ProblemKind)
    matrix = replace(MATRIX, problems=problems)
    document = msgspec.json.decode(encode(matrix))
    assert document["problems"][0] == {"kind": "harness-failed", "text": "one of harness-failed"}
    assert decode(encode(matrix)) == matrix


def test_problems_of_a_version_without_kinds_are_read() -> None:
    document = msgspec.json.decode(encode(MATRIX))
    document["problems"] = ["something was wrong", {"kind": "expectation-stale", "text": "x"}]
    assert decode(msgspec.json.encode(document)).problems == (
        Problem(ProblemKind.OTHER, "something was wrong"),
        Problem(ProblemKind.EXPECTATION_STALE, "x"),
    )


def test_fields_of_a_later_version_are_passed_over() -> None:
    document = msgspec.json.decode(encode(MATRIX))
    document["added-later"] = {"x": 1}
    document["cells"][0]["added-later"] = [1]
    assert decode(msgspec.json.encode(document)) == MATRIX


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is not a matrix.json"),
        (b"not json", "is not a matrix.json"),
        (b"\xff\xfe", "is not a matrix.json"),
        (b"[1]", "is not a matrix.json"),
        (b"{}", "names no schema"),
        (b'{"schema": "ckptmatrix.matrix/2", "cells": 1}', "'ckptmatrix.matrix/2'"),
        (b'{"schema": "ckptmatrix.matrix/1"}', "does not keep to its schema"),
        (encode(MATRIX)[:-200], "is not a matrix.json"),
        (encode(MATRIX).replace(b'"exact"', b'"fine"'), "Invalid enum value 'fine'"),
    ],
)
def test_what_is_no_matrix_is_refused_by_name_with_a_remedy(data: bytes, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode(data, "some/file.json")
    assert caught.value.message.startswith("some/file.json")
    assert told in caught.value.message
    assert caught.value.remedy


def test_a_file_name_that_is_no_unicode_spoils_no_report(tmp_path: Path) -> None:
    odd = synthetic.matrix(["0.33.0"], hostile="\udcff")
    write_reports(odd, tmp_path)
    assert any("?" in name for c in read_matrix(tmp_path).checkpoints for name in c.files)


def test_a_matrix_of_nothing_is_still_a_report(tmp_path: Path) -> None:
    empty = replace(MATRIX, environments={}, checkpoints=(), cells=(), causes={}, controls=())
    for format_ in FORMATS:
        assert format_.render(page_of(empty))


def test_junit_fails_exactly_the_unexpected_and_skips_the_unmeasured() -> None:
    odd = next(cell for cell in MATRIX.cells if cell.status is Status.FAILED)
    matrix = replace(
        MATRIX,
        cells=tuple(
            replace(c, expected=False, expectation="the message is another") if c is odd else c
            for c in MATRIX.cells
        ),
    )
    junit = FORMATS[-1]
    suite = ElementTree.fromstring(junit.render(page_of(matrix)))[0]
    assert suite.get("failures") == "1"
    [failure] = suite.iter("failure")
    assert "the message is another" in failure.get("message", "")
    assert "KeyError: 'step'" in failure.get("message", "")
    unmeasured = sum(cell.status not in MEASURED for cell in matrix.cells)
    assert suite.get("skipped") == str(unmeasured) == str(len(list(suite.iter("skipped"))))
    names = [case.get("name") for case in suite]
    assert "basic/saved-0.33.0+torch2.4-np1/loaded-1.15.0+torch2.13-np2" in names
    assert len(set(names)) == len(names) == len(matrix.cells)


def test_junit_survives_what_xml_cannot_hold() -> None:
    hostile = synthetic.matrix(["0.33.0"], hostile="\x00\x1b[31m]]>\ud800")
    rendered = FORMATS[-1].render(page_of(hostile))
    assert ElementTree.fromstring(rendered).tag == "testsuites"
