"""The first screen: from versions as people type them to an answer, as the command gives it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

import pytest

from ckptmatrix.model import Matrix
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.report import html
from ckptmatrix.results.report.page import page_of
from ckptmatrix.results.verdict import sentences
from ckptmatrix.results.verdict.asked import asked_of
from ckptmatrix.results.verdict.resolving import question_of
from ckptmatrix.results.verdict.upgrade import judge
from tests.results.verdict import sample

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import OpenPage

FREEZE = "absl-py==2.1.0\naccelerate==0.33.0\nnumpy==1.26.4\ntorch==2.4.1+cu121\ntqdm==4.66\n"
LINES = (
    "1.14",
    "accelerate==1.10",
    "accelerate==1.5 torch==2.6",
    "accelerate==1",
    "accelerate==0.33 torch==2.4 numpy==1",
    "accelerate==0.33.0 torch==2.6 numpy==2",
    "accelerate==1.15 torch==2.6 numpy==2.1",
    "accelerate==1.15 torch==2.4 numpy==2",
    "accelerate==1.15 torch==2.5",
    "accelerate==1.15.0 numpy==1.26.0",
    "accelerate==1.16 torch==9 numpy==1.2",
    "accelerate==0.20rc1 torch==2.4.1.post1 numpy==x",
    FREEZE,
)


@pytest.fixture(scope="module")
def sample_report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the address of the page of the committed sample, made by the code under test."""
    path = tmp_path_factory.mktemp("sample") / "index.html"
    path.write_bytes(html.render(page_of(sample.index().matrix)))
    return path.as_uri()


def ask(page: Page, side: str, **versions: str) -> None:
    for package, version in versions.items():
        page.locator(f"[name={side}-{package}]").fill(version)
        page.locator(f"[name={side}-{package}]").press("Enter")


def told(page: Page) -> str:
    return page.locator("#headline").inner_text().split("\n")[-1].strip()


@pytest.mark.xdist_group("sample")
def test_the_commonest_upgrade_is_answered_before_anything_is_asked(
    open_page: OpenPage, sample_report: str
) -> None:
    watched = open_page(sample_report, width=1280)
    page = watched.page
    before, after = sample.COMMON
    assert page.locator("[name=from-accelerate]").input_value() == before
    assert page.locator("[name=to-accelerate]").input_value() == after
    assert told(page).endswith("Go. Nothing gets worse.")
    loss = page.locator("#told .loss").inner_text()
    assert loss.startswith(f"{sample.COMMON_MEASURED} measured: 0 worse, 1 better")
    today = page.locator("#told .today summary").inner_text()
    assert today.startswith(f"{sample.COMMON_NOT_WHOLE_BEFORE} trainings are not resumed exactly")
    # The grid begins with the stack that is asked about, and marks the cell.
    assert page.locator("#reader-stack").input_value() == sample.stacks()[2]
    watched.settle()
    marked = page.locator("#matrix .chosen")
    assert marked.count() == 1
    watched.picture("first-screen")


@pytest.mark.xdist_group("sample")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_founding_case_from_the_first_screen_to_the_answer(
    open_page: OpenPage, sample_report: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    watched = open_page(sample_report, width=width, color_scheme=scheme)
    page = watched.page
    page.locator("[name=from-freeze]").evaluate("(area) => area.closest('details').open = true")
    page.locator("[name=from-freeze]").fill(FREEZE)
    assert page.locator("[name=from-accelerate]").input_value() == "0.33.0"
    ask(page, "to", accelerate="1.15", torch="2.6", numpy="2")
    page.locator("#trainings summary").click()
    page.get_by_role("checkbox", name=re.compile("kohya-lora")).check()
    index = sample.index()
    ends = sample.id_(sample.FOUNDING[0], 0), sample.id_(sample.FOUNDING[1], 2)
    upgrade = judge(index, *ends, [sample.FOUNDING_SCENARIO])
    assert told(page) == sentences.headline(upgrade)
    assert told(page).startswith("Go, if you do this first: keep numpy 1.26.4")
    assert page.locator("#told .loss").inner_text() == sentences.loss(upgrade)
    rows = page.locator("#told .choices tbody tr")
    assert rows.locator(".todo").all_inner_texts() == [one.title for one in upgrade.choices]
    assert rows.locator("code").all_inner_texts() == [one.copy for one in upgrade.choices]
    cells = rows.locator("td:last-child").all_inner_texts()
    assert cells == [sentences.worse_of(one) for one in upgrade.choices]
    assert [cell.split(" ")[0] for cell in cells] == ["2", "0", "0", str(sample.FOUNDING_WORSE)]
    newest = index.matrix.environments[ends[1]].torch.partition("+")[0]
    said = page.locator("#to-said").inner_text()
    assert f"torch 2.6: not measured; nearest {newest}, the same side of the border at 2.6" in said
    assert "resumes exactly" in page.locator("#told dl").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#scenario").input_value() == sample.FOUNDING_SCENARIO
    answer = page.locator("#told").inner_text()
    page.reload()
    assert page.locator("#told").inner_text() == answer
    watched.picture(f"founding-{scheme}-{width}")


@pytest.mark.xdist_group("sample")
def test_what_a_version_stands_for_is_the_same_for_the_page_and_the_command(
    open_page: OpenPage, sample_report: str
) -> None:
    page = open_page(sample_report).page
    index = sample.index()
    pairs = [(old, new) for old in LINES for new in LINES]
    found = page.evaluate("(pairs) => pairs.map(([a, b]) => ckptmatrix.ask(a, b))", pairs)
    expected = []
    for old, new in pairs:
        question = question_of(index, asked_of(old), asked_of(new))
        expected.append(
            {
                "ends": list(question.ends),
                "notes": list(question.notes),
                "why": list(question.why),
                "measure": question.measure,
            }
        )
    assert found == expected
    assert any(all(one["ends"]) and one["notes"] for one in expected)
    assert any(one["why"] for one in expected)


def test_a_version_that_nothing_stands_for_gets_the_command_and_what_can_be_asked_instead(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    page = open_page(many_report).page
    ask(page, "from", accelerate="0.28")
    assert told(page) == "Not measured: accelerate 0.28."
    said = "accelerate 0.28: not measured: between 0.24.1 and 0.31.0, which write differently"
    assert said in page.locator("#from-said").inner_text()
    assert page.locator("[name=from-accelerate]").get_attribute("aria-invalid") == "true"
    assert 'check --from "accelerate==0.28' in page.locator("#told .measure code").inner_text()
    page.get_by_role("button", name="ask for 0.31.0").click()
    stack = list(many.environments.values())[-1].stack
    ends = [f"accelerate-{release}+{stack}" for release in ("0.31.0", "1.15.0")]
    assert told(page) == sentences.headline(judge(LoadIndex(many), ends[0], ends[1]))


def test_several_trainings_are_chosen_by_keyboard_and_what_is_lost_today_too_is_asked_back(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    page = open_page(many_report).page
    page.locator("#trainings summary").press("Enter")
    chosen = ["basic", "accumulation"]
    for name in chosen:
        page.get_by_role("checkbox", name=re.compile(rf"{name}$")).press("Space")
    assert page.locator("#scenario").input_value() == "+"
    stack = list(many.environments.values())[-1].stack
    ends = [f"accelerate-{release}+{stack}" for release in ("1.1.1", "1.15.0")]
    index = LoadIndex(many)
    assert told(page) == sentences.headline(judge(index, ends[0], ends[1], chosen))
    page.get_by_role("button", name="Any of them again").press("Enter")
    assert "judge" not in page.url
    page.locator("#told .today summary").click()
    page.locator("#told .today button").first.click()
    assert "judge=numpy-in-custom" in page.url


def test_only_the_headline_is_announced_and_stays_one_element(
    open_page: OpenPage, many_report: str
) -> None:
    page = open_page(many_report).page
    page.evaluate("window.before = document.getElementById('headline')")
    ask(page, "from", accelerate="0.31.0")
    assert page.evaluate("window.before === document.getElementById('headline')")
    live = page.locator("#upgrade [role=status], #upgrade [aria-live]")
    assert live.count() == 1
    assert live.get_attribute("id") == "headline"
