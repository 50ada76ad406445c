"""What the page is without scripts, on paper, under a finger, and what nobody may add to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ckptmatrix.model import CellRecord, ErrorRecord, Matrix, Status
from ckptmatrix.results.report import write_reports
from ckptmatrix.results.report.page import page_of
from tests.support import synthetic

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.conftest import OpenPage

CELLS = "#matrix tbody tr:not(.group) td"
TURNED = "-1.15.0+torch2.15-np2"


@pytest.fixture(scope="module")
def before() -> Matrix:
    return synthetic.matrix(["0.31.0", "0.33.0", "1.1.1", "1.15.0"], ["basic", "hooks", "two"])


@pytest.fixture(scope="module")
def red(before: Matrix) -> Matrix:
    """The newest release raises where it loaded exactly, in two scenarios."""

    def altered(cell: CellRecord) -> CellRecord:
        if cell.status is not Status.EXACT or cell.scenario == "two" or cell.loader != "accelerate":
            return cell
        if TURNED not in cell.reader:
            return cell
        error = ErrorRecord("KeyError", "'step'")
        return replace(cell, status=Status.FAILED, error=error, expected=False)

    return replace(before, cells=tuple(map(altered, before.cells)))


@pytest.fixture(scope="module")
def red_report(red: Matrix, before: Matrix, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("red")
    write_reports(red, directory, before, ["html"])
    return (directory / "index.html").as_uri()


def test_a_red_run_says_once_what_turned_and_leads_to_it(
    open_page: OpenPage, red_report: str, red: Matrix, before: Matrix
) -> None:
    watched = open_page(red_report)
    page = watched.page
    found = page_of(red, before)
    assert page.title() == found.title
    assert page.title().startswith("✗ 6 not as expected, 6 worse than in the baseline")
    [turn] = found.wrong
    box = page.locator(".alarm")
    assert box.locator(".turn").count() == 1
    told = box.inner_text()
    assert turn.title in told
    assert turn.areas[0].command in told
    watched.picture("red")
    box.get_by_text("One of them in full").click()
    dialog = page.locator("#cell")
    assert "KeyError: 'step'" in dialog.inner_text()
    assert "regressed since the baseline" in dialog.inner_text()
    watched.picture("red-cell")
    page.keyboard.press("Escape")
    box.get_by_text("In the grid").click()
    watched.settle()
    assert page.locator("#changed-only").is_checked()
    assert page.evaluate("document.activeElement.closest('#matrix') !== null")


def test_only_what_changed_leaves_out_the_rest_and_counts_what_did_elsewhere(
    open_page: OpenPage, red_report: str, red: Matrix
) -> None:
    watched = open_page(f"{red_report}#saved=&loaded=")
    page = watched.page
    everything = page.locator(CELLS).count()
    page.locator("#changed-only").check()
    watched.settle()
    cells = page.locator(CELLS)
    assert 0 < cells.count() < everything
    assert page.locator(f"{CELLS}.failed").count() > 0
    heads = page.locator("#matrix thead tr").last.inner_text()
    assert "1.15.0" in heads
    assert "0.33.0" not in heads
    here = sum(cell.expected is False and cell.scenario == "basic" for cell in red.cells)
    assert page.locator("#grid-count").inner_text() == (
        f"{here} loads changed here; {here} more in other scenarios."
    )
    watched.picture("only-changed")
    page.locator("#reader-stack").select_option("torch2.4-np1")
    assert (
        page.locator("#grid-count")
        .inner_text()
        .startswith(f"No loads changed here; {here} more that the filters hide, ")
    )
    page.locator("#elsewhere").click()
    assert page.locator("#scenario").input_value() == "*"
    assert page.locator("#elsewhere").is_hidden()
    assert page.locator("#grid-count").inner_text() == f"{2 * here} loads changed here."
    page.locator("#scenario").select_option("two")
    assert page.locator("#grid-count").inner_text().startswith("No loads changed here")
    assert cells.count() == 0
    page.locator("#reset").click()
    watched.settle()
    assert cells.count() == everything


def test_a_place_on_the_page_is_no_choice(open_page: OpenPage, many_report: str) -> None:
    watched = open_page(f"{many_report}#scenario=*&direction=upgrade")
    watched.page.locator("a[href='#written']").click()
    watched.settle()
    assert watched.page.locator("#direction").input_value() == "upgrade"
    assert watched.page.locator("#scenario").input_value() == "*"


SINK = "document.documentElement.dataset.ran = 'yes'"


@pytest.mark.parametrize(
    "added",
    [
        f"<script>{SINK}</script>",
        f'<img src="data:," onerror="{SINK}">',
        f'<svg onload="{SINK}"></svg>',
        "<style>body { color: rgb(1, 2, 3) !important }</style>",
        '<p id="styled" style="position: fixed">x</p>',
        '<base href="https://example.invalid/">',
        '<script src="https://example.invalid/x.js"></script>',
        '<img id="far" src="https://example.invalid/x.png">',
    ],
)
def test_what_got_into_the_page_all_the_same_does_nothing(
    browser: Browser, many_report: str, tmp_path: Path, added: str
) -> None:
    text = Path(many_report.removeprefix("file://")).read_text()
    place = tmp_path / "index.html"
    place.write_text(text.replace("<main>", f"<main>{added}", 1))
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("response", lambda response: asked.append(response.url))
    page.goto(place.as_uri())
    page.locator(f"{CELLS} button").first.wait_for()  # the page itself works, and has drawn
    assert page.evaluate("document.documentElement.dataset.ran") is None
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    assert not page.locator("#styled").count() or (
        page.evaluate("getComputedStyle(document.querySelector('#styled')).position") == "static"
    )
    assert page.evaluate("document.baseURI").startswith("file://")
    assert not [address for address in asked if "example.invalid" in address]
    context.close()


def test_without_the_policy_the_same_would_run(
    browser: Browser, many_report: str, tmp_path: Path
) -> None:
    text = Path(many_report.removeprefix("file://")).read_text()
    bare = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert bare != text
    place = tmp_path / "index.html"
    place.write_text(bare.replace("<main>", f"<main><script>{SINK}</script>", 1))
    page = browser.new_page()
    page.goto(place.as_uri())
    assert page.evaluate("document.documentElement.dataset.ran") == "yes"
    page.close()


@pytest.mark.parametrize("fragment", ["", "#cell=A~B", "#unfold=1"])
def test_whatever_can_be_touched_is_24_pixels_wide_and_high(
    open_page: OpenPage, red_report: str, fragment: str
) -> None:
    ends = ("accelerate-1.1.1%2Btorch2.15-np2", f"accelerate{TURNED}".replace("+", "%2B"))
    address = red_report + fragment.replace("A", ends[0]).replace("B", ends[1])
    page = open_page(address, width=390, height=844).page
    page.locator("details").evaluate_all("(all) => all.forEach((each) => { each.open = true; })")
    small = page.evaluate(
        """(touched) => [...document.querySelectorAll(touched)]
            .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect(), one])
            .filter(([, { width, height }, one]) => width && one.offsetParent
                && (width < 24 || height < 24))
            .map(([html, { width, height }]) => `${html} ${width}x${height}`)""",
        "button, select, summary, label.check, a.cells, .segments label, input:not([type=checkbox],"
        "[type=radio]), textarea",
    )
    assert small == []


def test_nothing_but_the_headline_is_announced(open_page: OpenPage, red_report: str) -> None:
    page = open_page(red_report).page
    live = "[aria-live], [role=status], [role=alert], [role=log], output"
    assert page.locator(live).count() == 1
    assert page.locator(live).inner_text().strip() == page.locator(".verdict").inner_text().strip()


def test_the_result_of_a_cell_stands_before_the_other_scenarios(
    open_page: OpenPage, red_report: str
) -> None:
    page = open_page(red_report).page
    page.locator(f"{CELLS}.failed button").first.click()
    told = page.locator("#cell").inner_text()
    places = [told.index(part) for part in ("✗ failed", "Measure exactly this again", "Other sc")]
    assert places == sorted(places)


PAPER = 794
"""Pixels of A4, upright, at 96 to the inch."""


@pytest.mark.parametrize("fragment", ["", "#unfold=1", "#scenario=*"])
@pytest.mark.parametrize("width", [PAPER - 76, 1046])
def test_nothing_is_cut_on_paper(
    open_page: OpenPage, report: str, fragment: str, width: int
) -> None:
    watched = open_page(report + fragment, width=width)
    page = watched.page
    page.locator("details").evaluate_all("(all) => all.forEach((each) => { each.open = true; })")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    cut = page.evaluate(
        """(width) => [...document.querySelectorAll('table, pre, .scroll, section')]
            .filter((one) => one.offsetParent && one.getBoundingClientRect().right > width + 1)
            .map((one) => `${one.outerHTML.slice(0, 80)} ${one.getBoundingClientRect().right}`)""",
        width,
    )
    assert cut == []
    glyphs = page.evaluate(
        f"""() => [...document.querySelectorAll('{CELLS}')].filter(
            (td) => td.scrollWidth > td.clientWidth + 1 || !td.getClientRects().length).length"""
    )
    assert glyphs == 0
    watched.picture(f"print-{width}{fragment.replace('#', '-').replace('*', 'all')}")


def test_what_the_newest_release_resumes_is_there_without_scripts(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    page = open_page(many_report, java_script_enabled=False).page
    rows = page.locator("table.newest tbody tr")
    assert rows.count() == len({cell.scenario for cell in many.cells})
    heads = page.locator("table.newest thead th").all_inner_texts()
    assert heads[1:] == [f"1.15.0 on {stack}" for stack in synthetic.STACKS]
    newest = f"accelerate{TURNED}"
    for row in rows.all():
        name = row.locator("th").inner_text()
        itself = next(
            cell.status
            for cell in many.cells
            if (cell.writer, cell.reader, cell.scenario) == (newest, newest, name)
            and cell.loader == "accelerate"
        )
        assert row.locator("td").last.locator(f".key.{itself}").is_visible()
    plain = page.locator("table.newest tr", has_text="stateful-dataloader").locator("td").last
    assert plain.inner_text().endswith("1.1.1–1.15.0")


@pytest.mark.parametrize("fragment", ["", "#changed=1", "#changed=1&scenario=two"])
def test_axe_finds_no_violation_in_a_red_run(
    open_page: OpenPage, red_report: str, fragment: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the browser extra")
    page = open_page(red_report + fragment).page
    page.locator("details").evaluate_all("(all) => all.forEach((each) => { each.open = true; })")
    found = axe.Axe().run(page).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:120]}" for one in found] == []
