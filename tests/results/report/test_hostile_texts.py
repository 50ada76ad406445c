"""Nothing that a file name, a name or a message holds is obeyed by who reads a report of it."""

import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from ckptmatrix.cli import diff as diff_command
from ckptmatrix.cli import upgrade as upgrade_command
from ckptmatrix.cli.run_end import say_conclusion
from ckptmatrix.model import CellRecord, Matrix, Problem, ProblemKind, Status
from ckptmatrix.results.conclusion import concluded
from ckptmatrix.results.report import html, junit, markdown, write_reports
from ckptmatrix.results.report.page import Page, page_of
from tests.support import synthetic

ESCAPES = (
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://a\x1b\\ \x9b2J \x00 \x08 \x7f \x85 "
    "\u202egpj.exe\u202c \u2066x\u2069 \u200f \u2028 \ufeff a\rb\r\nc\nd"
)
MARKUP = "</script><script>alert(1)</script><img src=x onerror=alert(1)> | `x` @everyone \"'"
HOSTILE = f"{MARKUP} {ESCAPES}"
NAME = f"odd{HOSTILE}"


def hostile_matrix() -> Matrix:
    """Every text of a run that comes from a checkpoint, a script or a file is as bad as can be."""
    matrix = synthetic.matrix(["0.31.0", "0.33.0", "1.15.0"], ["basic", NAME], hostile=HOSTILE)

    def altered(cell: CellRecord) -> CellRecord:
        if cell.status is Status.FAILED:
            return replace(cell, expected=False, expectation=f"expected: {HOSTILE}", cause=None)
        return replace(cell, reason=HOSTILE) if cell.reason else cell

    controls = tuple(
        replace(one, passed=False, detail=HOSTILE, name=HOSTILE) for one in matrix.controls
    )
    return replace(
        matrix,
        run=replace(matrix.run, platform=HOSTILE, variables=(HOSTILE,), device_name=HOSTILE),
        environments={
            id_: replace(one, reason=f"{one.reason}{HOSTILE}")
            for id_, one in matrix.environments.items()
        },
        cells=tuple(map(altered, matrix.cells)),
        controls=controls,
        problems=(Problem(ProblemKind.OTHER, HOSTILE),),
    )


MATRIX = hostile_matrix()


@pytest.fixture(scope="module")
def page() -> Page:
    before = tuple(
        replace(cell, status=Status.EXACT, error=None, expected=True) for cell in MATRIX.cells
    )
    return page_of(MATRIX, replace(MATRIX, cells=before))


def obeyed(text: str) -> set[str]:
    """Characters that a terminal or a reader obeys; ends of lines and tabs are meant."""
    controls = {char for char in text if unicodedata.category(char) in ("Cc", "Zl", "Zp")}
    turning = set(re.findall("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]", text))
    return (controls | turning) - {"\n", "\t"}


class Read(HTMLParser):
    """What a browser would make of a page: its elements, and what is written in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.texts += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def texts_in(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for one in pair for text in texts_in(one)]
    return [text for one in value for text in texts_in(one)] if isinstance(value, list) else []


def test_the_page_shows_them(page: Page) -> None:
    text = html.render(page).decode()
    read = Read(text)
    assert obeyed(text) == set()
    assert obeyed("".join(read.texts)) == set()
    assert "img" not in read.tags
    assert read.tags.count("script") == 2
    assert r"\u202egpj.exe" in "".join(read.texts)
    [_, after] = text.split('<script type="application/json" id="data">')
    data = json.loads(after.partition("</script>")[0])
    assert obeyed("".join(texts_in(data))) == set()
    assert any(r"\x1b]0;title\x07" in found for found in texts_in(data))


def test_markdown_shows_them(page: Page) -> None:
    text = markdown.render(page).decode()
    assert obeyed(text) == set()
    assert "<img" not in text
    assert "<script" not in text
    assert "@everyone" not in text
    assert r"&#92;u202egpj.exe" in text
    tables = [line for line in text.splitlines() if line.startswith("| exact → failed")]
    assert tables
    assert {line.count("|") for line in tables} == {6}


def test_junit_shows_them(page: Page) -> None:
    text = junit.render(page).decode()
    assert obeyed(text) == set()
    root = ElementTree.fromstring(text)
    found = [case.get("message", "") for case in root.iter("failure")]
    assert found
    assert obeyed("".join(found)) == set()
    assert r"\u202egpj.exe" in found[0]


def test_the_end_of_a_run_shows_them(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    say_conclusion(concluded(page, Path(NAME)), as_json=False)
    told = capsys.readouterr().out
    assert obeyed(told) == set()
    assert "unexpected, worse than in the baseline: " in told
    assert r"\u202egpj.exe" in told


def test_commands_that_ask_a_run_show_them(tmp_path: Path) -> None:
    write_reports(MATRIX, tmp_path, formats=["matrix"])
    ask = CliRunner()
    asked = ["0.31.0", "1.15.0", "--matrix", str(tmp_path), "--to-stack", "torch2.15-np1"]
    told = ask.invoke(upgrade_command.command, asked).output
    assert "0.31.0" in told
    assert obeyed(told) == set()
    before = tmp_path / "before"
    write_reports(replace(MATRIX, cells=MATRIX.cells[: len(MATRIX.cells) // 2]), before)
    told = ask.invoke(diff_command.command, [str(before), str(tmp_path)]).output
    assert "new" in told
    assert obeyed(told) == set()
