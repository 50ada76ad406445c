"""What is out and not measured: one sentence on the console, the page and in Markdown."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.cli.run_end import say_conclusion
from ckptmatrix.model import Matrix
from ckptmatrix.results.conclusion import concluded
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report import write_reports
from ckptmatrix.results.report.page import page_of
from tests.support import synthetic

OUT = {"torch": ("2.14.0", "2.14.1", "2.15.0"), "numpy": (), "python": ("3.12",)}
SENTENCE = "accelerate 1.16.0; torch 2.14.0, 2.14.1, 2.15.0; Python 3.12 are out and not measured"


def measured(accelerate: tuple[str, ...], packages: dict[str, tuple[str, ...]]) -> Matrix:
    matrix = synthetic.matrix(["1.15.0"])
    return replace(matrix, run=replace(matrix.run, newer=accelerate, newer_packages=packages))


def texts(matrix: Matrix, directory: Path) -> list[str]:
    write_reports(matrix, directory)
    names = ("index.html", "matrix.md")
    return [(directory / name).read_text(encoding="utf-8") for name in names]


def test_the_same_sentence_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix = measured(("1.16.0",), OUT)
    assert all(SENTENCE in text for text in texts(matrix, tmp_path))
    say_conclusion(concluded(page_of(matrix), tmp_path / "index.html"), as_json=False)
    assert SENTENCE in capsys.readouterr().out.splitlines()


def test_the_record_keeps_it(tmp_path: Path) -> None:
    matrix = measured(("1.16.0",), OUT)
    write_reports(matrix, tmp_path)
    assert read_matrix(tmp_path).run.newer_packages == OUT


def test_nothing_newer_and_nothing_known_are_two_things(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing, unknown = measured((), {"torch": ()}), measured((), {})
    page, markdown = texts(nothing, tmp_path)
    assert "No newer release was on the index" in page
    assert "Newer releases" not in markdown
    page, _ = texts(unknown, tmp_path)
    assert "the package index did not answer" in page
    assert "No newer release" not in page
    say_conclusion(concluded(page_of(nothing), tmp_path / "index.html"), as_json=False)
    assert "not measured" not in capsys.readouterr().out
