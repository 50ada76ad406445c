"""A report over several scenarios: the plain one first, the others and all of them on request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from packaging.version import Version

from ckptmatrix.model import Matrix, Status
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.verdict.sentences import headline
from ckptmatrix.results.verdict.upgrade import Headline, judge
from tests.browser.verdicts import JUDGE, told_of

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage

CELLS = "#matrix tbody tr:not(.group) td"
EVERY_STACK = "#saved=&loaded="
"""Shows the grid as it is without scripts; else it begins with the stacks that are asked about."""
OLD, NEW = "accelerate-0.31.0+torch2.15-np2", "accelerate-1.1.1+torch2.15-np2"


def test_the_plain_scenario_is_shown_first_as_without_javascript(
    open_page: OpenPage, many_report: str
) -> None:
    read = f"""() => [...document.querySelectorAll('{CELLS}')].map(
        (td) => [td.className, (td.querySelector('button') || td).ariaLabel, td.textContent])"""
    without = open_page(many_report, java_script_enabled=False).page
    static = without.evaluate(read)
    watched = open_page(many_report + EVERY_STACK)
    assert watched.page.evaluate(read) == static
    assert watched.page.locator("#scenario").input_value() == "basic"
    assert "scenarios exact" not in static[0][1]
    for status in ("exact", "degraded", "failed"):
        shown = f".chip[data-status={status}] .count"
        assert without.locator(shown).inner_text() == watched.page.locator(shown).inner_text()


def test_all_scenarios_show_the_worst_with_a_tally_and_the_address_keeps_it(
    open_page: OpenPage, many_report: str
) -> None:
    watched = open_page(many_report)
    page = watched.page
    assert page.locator("#tally-mark").is_hidden()
    page.locator("#scenario").select_option("*")
    assert page.locator("#tally-mark").is_visible()
    watched.settle()
    tallies = page.locator(f"{CELLS} small").all_inner_texts()
    assert tallies
    assert all(re.fullmatch(r"\d/\d", tally) for tally in tallies)
    assert any(tally.startswith("0/") for tally in tallies)
    page.reload()
    watched.settle()
    assert page.locator(f"{CELLS} small").all_inner_texts() == tallies
    watched.picture("all-scenarios")


def test_an_upgrade_is_judged_by_all_scenarios_or_by_one(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    page = open_page(f"{many_report}#from={OLD}&to={NEW}".replace("+", "%2B")).page
    index = LoadIndex(many)
    told = page.locator("#verdict .verdict")
    assert told.inner_text().endswith(headline(judge(index, OLD, NEW)))
    page.locator("#trainings summary").click()
    page.get_by_role("checkbox", name="gradient accumulation, saved between").check()
    one = headline(judge(index, OLD, NEW, ["accumulation"]))
    assert told.inner_text().endswith(one)
    assert page.locator("#scenario").input_value() == "accumulation"
    page.reload()
    assert told.inner_text().endswith(one)


def test_the_verdict_of_every_pair_is_that_of_the_command(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    page = open_page(many_report).page
    ids = [id_ for id_, record in many.environments.items() if record.status == "ready"]
    chosen: tuple[list[str], ...] = ([], ["basic"], ["accumulation", "stateful-dataloader"])
    asked = [(old, new, names) for old in ids for new in ids for names in chosen]
    index = LoadIndex(many)
    expected = [told_of(judge(index, old, new, names)) for old, new, names in asked]
    assert page.evaluate(JUDGE, asked) == expected
    assert {told["answer"] for told in expected} == set(Headline)


def test_what_could_be_done_stands_in_a_table_with_its_lines_to_copy(
    open_page: OpenPage, many_report: str
) -> None:
    old, new = "accelerate-1.1.1+torch2.4-np1", "accelerate-1.15.0+torch2.15-np2"
    address = f"{many_report}#from={old}&to={new}&judge=basic".replace("+", "%2B")
    watched = open_page(address)
    rows = watched.page.locator("#verdict .choices tbody tr")
    titles = rows.locator("th").all_inner_texts()
    assert [title.partition("\n")[0] for title in titles] == [
        "Keep numpy 1.26.4 for now",
        "Load with ckptmatrix.resume",
        "All at once, nothing else done",
    ]
    assert "pip install accelerate==1.15.0 torch==2.15.0 numpy==1.26.4" in titles[0]
    assert rows.first.locator("td").first.inner_text() == "✓ resumes exactly"
    watched.picture("choices")


def test_a_cell_opens_on_its_scenario_and_every_other_is_a_key_away(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    watched = open_page(many_report)
    page = watched.page
    page.locator(f"{CELLS}.degraded").first.click()
    pressed = page.locator("#cell .tabs [aria-pressed=true]")
    assert pressed.inner_text().endswith("basic")
    other = page.locator("#cell .tabs [aria-pressed=false]").first
    name = other.inner_text().split()[-1]
    other.press("Enter")
    assert pressed.inner_text().endswith(name)
    assert f"scenario {name}" in page.locator("#cell").inner_text()
    page.reload()
    assert pressed.inner_text().endswith(name)
    watched.picture("cell-of-many")


def test_another_way_to_load_is_a_key_away_and_is_counted(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    watched = open_page(many_report + EVERY_STACK)
    page = watched.page
    page.locator("#views input").first.focus()
    page.keyboard.press("ArrowRight")
    assert "view=1" in page.url
    resumed = [c for c in many.cells if (c.loader, c.scenario) == ("ckptmatrix", "basic")]
    exact = sum(cell.status is Status.EXACT for cell in resumed)
    shown = page.locator(".chip[data-status=exact] .count").inner_text()
    assert int(re.sub(r"\D", "", shown)) == exact
    watched.settle()
    assert page.locator(f"{CELLS}.failed").count() == 0
    page.reload()
    assert page.locator("#views input").nth(1).is_checked()


def test_the_counts_of_the_legend_follow_every_filter(
    open_page: OpenPage, many_report: str, many: Matrix
) -> None:
    page = open_page(many_report).page
    place = many.environments

    def counted(status: Status, stack: str) -> int:
        return sum(
            (c.scenario, c.loader, c.status) == ("basic", "accelerate", status)
            and Version(place[c.writer].accelerate) < Version(place[c.reader].accelerate)
            and place[c.writer].stack == "torch2.15-np2"
            and stack in ("", place[c.reader].stack)
            for c in many.cells
        )

    page.locator("#direction").select_option("upgrade")
    page.locator("#writer-stack").select_option("torch2.15-np2")
    for stack in ("", "torch2.4-np1"):
        page.locator("#reader-stack").select_option(stack)
        for status in (Status.EXACT, Status.DEGRADED, Status.FAILED):
            shown = page.locator(f".chip[data-status={status}] .count").inner_text()
            assert int(re.sub(r"\D", "", shown)) == counted(status, stack)
    assert counted(Status.EXACT, "") > counted(Status.EXACT, "torch2.4-np1") > 0


def test_the_keyboard_alone_reaches_the_grid_and_opens_a_cell(
    open_page: OpenPage, many_report: str
) -> None:
    page = open_page(many_report).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('#matrix')"):
            break
    else:
        raise AssertionError("Tab never came to the grid")
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    # What a screen reader is told: a button, by this name.
    heard = page.get_by_role("button", name=name, exact=True)
    assert heard.evaluate("(button) => button === document.activeElement")
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog", name=re.compile("^Saved with ")).is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == name


def test_filters_and_upgrade_and_cell_come_back_from_the_address_alone(
    open_page: OpenPage, many_report: str
) -> None:
    watched = open_page(many_report)
    first = watched.page
    first.locator("#scenario").select_option("numpy-in-custom")
    first.locator("#direction").select_option("upgrade")
    first.locator("#reader-stack").select_option("torch2.15-np1")
    first.locator(".chip[data-status=exact]").click()
    first.locator("[name=to-accelerate]").fill("0.33.0")
    first.locator("[name=to-numpy]").fill("1")
    first.locator("[name=to-numpy]").press("Enter")
    first.locator(f"{CELLS}.degraded").first.click()
    seen = """() => [document.querySelector('#matrix').outerHTML.replace(/ tabindex="-?\\d"/g, ''),
        document.querySelector('#legend').innerText, document.querySelector('#verdict').innerText,
        document.querySelector('#cell').innerText, document.querySelector('#direction').value]"""
    watched.settle()
    told = first.evaluate(seen)
    assert all(told)
    again = open_page(first.url).page
    assert again.evaluate(seen)[1:] == told[1:]
    assert again.locator(f"{CELLS}.dim").count() == first.locator(f"{CELLS}.dim").count() > 0


def test_a_cause_that_the_plain_scenario_lacks_is_shown_where_it_is(
    open_page: OpenPage, many_report: str
) -> None:
    page = open_page(f"{many_report}#scenario=stateful-dataloader").page
    page.locator("#cause-filter").select_option("no-safetensors")
    assert page.locator("#scenario").input_value() == "*"
    assert page.locator(f"{CELLS}:not(.dim)").count() > 0


LABELS = f"""() => [...document.querySelectorAll('{CELLS}')].map(
    (td) => [td.className.replace(' cross', ''), (td.querySelector('button') || td).ariaLabel,
        td.textContent])"""


def test_cells_out_of_sight_follow_a_filter_as_soon_as_the_browser_is_idle(
    open_page: OpenPage, many_report: str
) -> None:
    watched = open_page(many_report, width=420, height=360)
    page = watched.page
    before = page.evaluate(LABELS)
    page.locator("#scenario").select_option("*")
    page.locator("#direction").select_option("upgrade")
    watched.settle()
    after = page.evaluate(LABELS)
    assert sum(one != other for one, other in zip(before, after, strict=True)) > len(after) / 2
    tall = open_page(f"{many_report}#scenario=*&direction=upgrade", width=1800, height=1800)
    assert after == tall.page.evaluate(LABELS)


@pytest.mark.parametrize(
    ("choose", "address"),
    [
        ("document.querySelectorAll('#views input')[1].click()", "view=1"),
        ("document.querySelector('#unfold').click()", "unfold=1"),
    ],
)
def test_who_moves_or_scrolls_at_once_finds_every_cell_as_it_is(
    open_page: OpenPage, many_report: str, choose: str, address: str
) -> None:
    tall = open_page(f"{many_report}{EVERY_STACK}&{address}", width=1800, height=1800)
    told = tall.page.evaluate(LABELS)

    def found(go: str) -> list[Any]:
        page = open_page(many_report + EVERY_STACK, width=420, height=360).page
        page.evaluate("document.querySelector('#matrix').scrollIntoView({behavior: 'instant'})")
        labels: list[Any] = page.evaluate(
            f"""() => {{
                {choose};
                const cell = document.querySelector('{CELLS}');
                {go};
                return ({LABELS})();
            }}"""
        )
        return labels

    assert found("") != told, "nothing waited, so there is nothing to see"
    for go in (
        "cell.dispatchEvent(new KeyboardEvent('keydown', {key: 'End', bubbles: true}))",
        "cell.closest('.scroll').dispatchEvent(new Event('scroll'))",
        "window.dispatchEvent(new Event('beforeprint'))",
    ):
        assert found(go) == told
