"""The page of a run of fully sharded training: in words, answered as by the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ckptmatrix.knowledge.trainings import grouped
from ckptmatrix.model import EnvironmentStatus
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report import html
from ckptmatrix.results.report.page import page_of
from ckptmatrix.results.verdict.upgrade import judge
from tests.browser.verdicts import JUDGE, told_of
from tests.support.places import SHARDED_RUN

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage

MATRIX = read_matrix(SHARDED_RUN)
INDEX = LoadIndex(MATRIX)
READY = [id_ for id_, one in MATRIX.environments.items() if one.status is EnvironmentStatus.READY]


@pytest.fixture(scope="module")
def sharded_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the address of its page, made by the code under test."""
    path = tmp_path_factory.mktemp("sharded") / "index.html"
    path.write_bytes(html.render(page_of(MATRIX)))
    return path.as_uri()


def test_every_upgrade_is_answered_as_the_command_answers_it(
    open_page: OpenPage, sharded_report: str
) -> None:
    page = open_page(sharded_report).page
    chosen = [[], *([name] for name in INDEX.scenarios)]
    asked = [(old, new, names) for old in READY for new in READY for names in chosen]
    expected = [told_of(judge(INDEX, old, new, names)) for old, new, names in asked]
    assert page.evaluate(JUDGE, asked) == expected
    assert not any("@" in outcome for told in expected for *_, outcome, _ in told["choices"])


def test_the_first_screen_speaks_of_the_trainings_in_words_and_of_the_gate(
    open_page: OpenPage, sharded_report: str
) -> None:
    page = open_page(sharded_report).page
    assert "4 of 4 trainings on the CPU, FSDP's gate lifted" in page.locator("#told").inner_text()
    page.locator("#trainings summary").click()
    shown = page.locator("#trainings").inner_text()
    words = [text for group in grouped(INDEX.scenarios) for text in group.scenarios.values()]
    assert len(words) == len(INDEX.scenarios)
    for text in words:
        assert text in shown


def test_a_cell_says_that_the_gate_was_lifted(open_page: OpenPage, sharded_report: str) -> None:
    end = READY[-1].replace("+", "%2B")
    page = open_page(f"{sharded_report}#cell={end}~{end}").page
    assert "FSDP's gate lifted" in page.locator("dialog[open]").inner_text()
