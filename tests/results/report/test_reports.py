"""All formats from one matrix: written whole, read back, refused when not understood."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ckptmatrix.model import MEASURED, Status
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report import DEFAULT, FORMATS, write_reports
from ckptmatrix.results.report.page import page_of
from tests.support import synthetic

MATRIX = synthetic.matrix(["0.31.0", "0.33.0", "1.1.1", "1.15.0"])


def test_every_format_is_written_and_nothing_else_stays(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "reports"
    written = write_reports(MATRIX, directory)
    names = ["matrix.json.gz", "index.html", "matrix.md", "junit.xml"]
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
    assert len(list(tmp_path.iterdir())) == len(DEFAULT)


def test_rendering_again_from_the_file_gives_the_same_bytes(tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in write_reports(MATRIX, tmp_path / "a")}
    again = write_reports(read_matrix(tmp_path / "a"), tmp_path / "b")
    assert {path.name: path.read_bytes() for path in again} == first


def test_a_file_name_that_is_no_unicode_spoils_no_report(tmp_path: Path) -> None:
    odd = synthetic.matrix(["0.33.0"], hostile="\udcff")
    write_reports(odd, tmp_path)
    assert any("?" in name for c in read_matrix(tmp_path).checkpoints for name in c.files)


def test_a_matrix_of_nothing_is_still_a_report(tmp_path: Path) -> None:
    empty = replace(MATRIX, environments={}, checkpoints=(), cells=(), causes={}, controls=())
    for format_ in FORMATS.values():
        assert format_.render(page_of(empty))


def test_junit_lists_exactly_the_unexpected_and_counts_the_rest() -> None:
    odd = next(cell for cell in MATRIX.cells if cell.status is Status.FAILED)
    matrix = replace(
        MATRIX,
        cells=tuple(
            replace(c, expected=False, expectation="the message is another") if c is odd else c
            for c in MATRIX.cells
        ),
    )
    suite = ElementTree.fromstring(FORMATS["junit"].render(page_of(matrix)))[0]
    assert suite.get("failures") == "1"
    assert suite.get("tests") == str(len(matrix.cells))
    unmeasured = sum(cell.status not in MEASURED for cell in matrix.cells)
    assert suite.get("skipped") == str(unmeasured)
    [case] = suite
    writer, reader = (id_.removeprefix("accelerate-") for id_ in (odd.writer, odd.reader))
    assert case.get("name") == f"basic/saved-{writer}/loaded-{reader}"
    [failure] = case
    assert "the message is another" in failure.get("message", "")
    assert "KeyError: 'step'" in failure.get("message", "")


def test_junit_of_a_run_that_is_as_expected_lists_nothing() -> None:
    suite = ElementTree.fromstring(FORMATS["junit"].render(page_of(MATRIX)))[0]
    assert (list(suite), suite.get("failures")) == ([], "0")
    assert suite.get("tests") == str(len(MATRIX.cells))


def test_junit_survives_what_xml_cannot_hold() -> None:
    hostile = synthetic.matrix(["0.33.0"], hostile="\x00\x1b[31m]]>\ud800")
    cells = tuple(replace(c, expected=False, expectation="\x00 odd") for c in hostile.cells)
    rendered = FORMATS["junit"].render(page_of(replace(hostile, cells=cells)))
    assert ElementTree.fromstring(rendered).tag == "testsuites"
