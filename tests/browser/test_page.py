"""The page as people use it, in a real Chromium: by mouse, by keyboard, by address."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import pytest

from ckptmatrix.model import MEASURED, Matrix, Status
from ckptmatrix.results.findings.axis import axis_of
from ckptmatrix.results.findings.folds import folds_of
from ckptmatrix.results.findings.load_index import LoadIndex
from ckptmatrix.results.findings.views import views_of
from ckptmatrix.results.verdict.sentences import headline
from ckptmatrix.results.verdict.upgrade import judge
from tests.browser.verdicts import JUDGE, told_of
from tests.support.places import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.browser.conftest import OpenPage

CELLS = "#matrix tbody tr:not(.group) td"
EVERY_STACK = "#saved=&loaded="
"""Shows the grid as it is without scripts; else it begins with the stacks that are asked about."""


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text) or 0)


def chip(page: Page, status: str) -> Locator:
    return page.locator(f".chip[data-status='{status}']")


def environments(matrix: Matrix) -> list[str]:
    return [id_ for id_, record in matrix.environments.items() if record.status == "ready"]


def ask(page: Page, side: str, **versions: str) -> None:
    """Type versions into one side of the question."""
    for package, version in versions.items():
        page.locator(f"[name={side}-{package}]").fill(version)
        page.locator(f"[name={side}-{package}]").press("Enter")


def test_the_counts_are_those_of_the_run(open_page: OpenPage, report: str, matrix: Matrix) -> None:
    page = open_page(report + EVERY_STACK).page
    today = [c for c in matrix.cells if (c.loader, c.treatment) == ("accelerate", "as-saved")]
    exact = sum(cell.status is Status.EXACT for cell in today)
    measured = sum(cell.status in MEASURED for cell in today)
    shown = page.locator(".bar-number").first.inner_text()
    assert [number(part) for part in shown.split(" of ")] == [exact, measured]
    assert number(chip(page, "exact").locator(".count").inner_text()) == exact
    assert page.locator("#grid-count").inner_text().split(" loads")[0].strip() != ""


def test_the_script_draws_the_very_table_that_is_there_without_it(
    open_page: OpenPage, report: str, matrix: Matrix
) -> None:
    read = f"""() => [...document.querySelectorAll('{CELLS}')].map(
        (td) => [td.className, (td.querySelector('button') || td).ariaLabel, td.textContent])"""
    without = open_page(report, java_script_enabled=False).page
    static = without.evaluate(read)
    watched = open_page(report + EVERY_STACK)
    watched.settle()
    assert static == watched.page.evaluate(read)
    heads = "() => document.querySelector('#matrix thead').innerText"
    for unfold in (True, False):
        watched.page.locator("#unfold").set_checked(unfold)
    watched.settle()
    assert static == watched.page.evaluate(read)
    assert without.evaluate(heads) == watched.page.evaluate(heads)
    folds = folds_of(matrix, axis_of(matrix))
    assert len(static) == len(folds.writers) * len(folds.readers) > 1
    assert without.locator("#upgrade-form").is_hidden()
    assert without.get_by_text("Choosing needs JavaScript").is_visible()


def test_the_legend_filters_and_counts_follow(open_page: OpenPage, report: str) -> None:
    watched = open_page(f"{report}#scenario=basic")
    page = watched.page
    shown = page.locator(f"{CELLS}.exact:not(.dim)")
    assert shown.count() > 0
    chip(page, "exact").click()
    watched.settle()
    assert shown.count() == 0
    assert chip(page, "exact").get_attribute("aria-pressed") == "false"
    assert "hide=exact" in page.url
    watched.picture("filtered")
    page.locator("#direction").select_option("rollback")
    fewer = number(chip(page, "failed").locator(".count").inner_text())
    page.locator("#reset").click()
    page.locator("#scenario").select_option("basic")
    assert number(chip(page, "failed").locator(".count").inner_text()) > fewer
    watched.settle()
    assert shown.count() > 0
    assert "hide" not in page.url


def test_an_upgrade_is_chosen_and_survives_a_reload(
    open_page: OpenPage, report: str, matrix: Matrix
) -> None:
    watched = open_page(report)
    page = watched.page
    new = environments(matrix)[-1]
    record = matrix.environments[new]
    ask(page, "from", accelerate="0.33.0", torch="2.4.1", numpy="1.26.4")
    ask(page, "to", accelerate=record.accelerate, torch=record.torch, numpy=record.numpy)
    old, index = "accelerate-0.33.0+torch2.4-np1", LoadIndex(matrix)
    told = headline(judge(index, old, new))
    assert page.locator("#verdict .verdict").inner_text().endswith(told)
    watched.picture("upgrade")
    page.reload()
    assert page.locator("#verdict .verdict").inner_text().endswith(told)
    page.locator("#swap").click()
    back = headline(judge(index, new, old))
    assert page.locator("#verdict .verdict").inner_text().endswith(back)


def test_the_page_and_the_command_give_the_same_verdict_for_every_pair(
    open_page: OpenPage, report: str, matrix: Matrix
) -> None:
    page = open_page(report).page
    ids = environments(matrix)
    pairs = [(ids[i], ids[j]) for i in range(0, len(ids), 3) for j in range(0, len(ids), 4)]
    told = page.evaluate(JUDGE, [(old, new, []) for old, new in pairs])
    index = LoadIndex(matrix)
    assert told == [told_of(judge(index, old, new)) for old, new in pairs]


def test_a_cell_opens_by_keyboard_and_from_the_address(open_page: OpenPage, report: str) -> None:
    watched = open_page(report)
    page = watched.page
    page.locator(f"{CELLS} [tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.keyboard.press("Enter")
    dialog = page.locator("#cell")
    assert dialog.is_visible()
    title = dialog.locator("h2").inner_text()
    named = re.match(r"saved with (\S+)", focused)
    assert named is not None
    writer = named.group(1).split("–")[-1]
    assert title.startswith(f"Saved with {writer},")
    for part in ("The two environments", "Measure exactly this again"):
        assert dialog.get_by_text(part).is_visible()
    watched.picture("cell")
    page.reload()
    assert page.locator("#cell h2").inner_text() == title
    page.keyboard.press("Escape")
    assert dialog.is_hidden()
    page.wait_for_function("!location.href.includes('cell=')")  # told after it is hidden


def test_a_failed_cell_shows_exception_cause_and_remedy(
    open_page: OpenPage, report: str, matrix: Matrix
) -> None:
    cell = next(c for c in matrix.cells if c.status is Status.FAILED and c.cause and c.error)
    page = open_page(f"{report}#cell={quote(f'{cell.writer}~{cell.reader}')}").page
    told = page.locator("#cell").inner_text()
    assert cell.error is not None
    assert cell.cause is not None
    assert f"{cell.error.type}: {cell.error.message.splitlines()[0][:40]}" in told
    assert matrix.causes[cell.cause].title in told
    assert matrix.causes[cell.cause].remedy[:40] in told
    for id_ in (cell.writer, cell.reader):
        assert matrix.environments[id_].torch in told
    release = matrix.environments[cell.reader].accelerate
    assert f"loaded-{release}+" in told


def test_a_cause_shows_its_cells(open_page: OpenPage, report: str) -> None:
    page = open_page(report).page
    button = page.locator("[data-show-cause]").first
    button.click()
    assert page.locator("#cause-filter").input_value() == button.get_attribute("data-show-cause")
    assert page.locator(f"{CELLS}.dim").count() > 0
    assert page.locator(f"{CELLS}:not(.dim)").count() > 0


def test_every_release_can_have_its_own_row(
    open_page: OpenPage, report: str, matrix: Matrix
) -> None:
    watched = open_page(report + EVERY_STACK)
    watched.page.locator("#unfold").check()
    watched.settle()
    assert watched.page.locator(CELLS).count() == len(matrix.environments) ** 2
    watched.picture("unfolded")


def test_a_link_to_a_version_that_is_not_there_shows_no_other_verdict(
    open_page: OpenPage, report: str
) -> None:
    old, new = "accelerate-9.9.0%2Btorch2.4-np1", "accelerate-1.15.0%2Btorch2.4-np1"
    page = open_page(f"{report}#from={old}&to={new}").page
    told = page.locator("#verdict .verdict").inner_text()
    assert "this run has no accelerate-9.9.0+torch2.4-np1" in told
    assert page.locator("[name=from-accelerate]").input_value() == ""
    assert "from=accelerate-9.9.0" in page.url
    ask(page, "from", accelerate="1.14.0")
    assert page.locator("#verdict .verdict").inner_text().endswith("Go. Nothing gets worse.")


def test_nonsense_in_the_address_does_no_harm(open_page: OpenPage, report: str) -> None:
    page = open_page(f"{report}#view=99&scenario=x&from=y&to=%3Cb%3E&cell=a~b&saved=z&hide=q").page
    assert page.locator("#verdict .verdict").is_visible()
    assert page.locator("#cell").is_hidden()


def test_markup_from_a_checkpoint_is_shown_as_text(open_page: OpenPage, hostile: str) -> None:
    page = open_page(hostile).page
    old, new = "accelerate-0.31.0%2Btorch2.4-np1", "accelerate-0.33.0%2Btorch2.4-np1"
    page.goto(f"{hostile}#cell={old}~{new}&from={old}&to={new}")
    assert "onerror=" in page.locator("#cell").inner_text()
    assert "onerror=" in page.locator("#verdict").inner_text()
    assert page.locator("img").count() == 0
    assert page.locator("main b:has-text('bold')").count() == 0
    assert page.title().startswith("Checkpoint compatibility")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1366, 390])
def test_it_fits_its_window_in_light_and_dark(
    open_page: OpenPage, report: str, scheme: Literal["light", "dark"], width: int
) -> None:
    watched = open_page(report, width=width, color_scheme=scheme)
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    red, green, blue = map(
        int,
        re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3],
    )
    assert (red + green + blue > 380) == (scheme == "light")
    watched.picture(f"{scheme}-{width}")


def test_print_leaves_out_what_only_a_screen_can_do(open_page: OpenPage, report: str) -> None:
    watched = open_page(report)
    watched.page.emulate_media(media="print")
    assert watched.page.locator(".controls").is_hidden()
    assert watched.page.locator("#matrix").is_visible()
    assert watched.page.locator("#verdict").is_visible()
    watched.picture("print")


def test_forced_colours_keep_glyphs_and_borders(open_page: OpenPage, report: str) -> None:
    watched = open_page(report, forced_colors="active")
    style = watched.page.evaluate(
        f"getComputedStyle(document.querySelector('{CELLS}.failed')).borderTopStyle"
    )
    assert style == "solid"
    watched.picture("forced-colours")


def test_the_command_of_a_cell_selects_exactly_that_cell(
    open_page: OpenPage, report: str, matrix: Matrix
) -> None:
    page = open_page(report).page
    root = ROOT
    measured = [cell for cell in matrix.cells if cell.status in MEASURED]
    cell = measured[len(measured) // 2]
    view = next(
        index
        for index, found in enumerate(views_of(matrix))
        if (found.loader, found.treatment) == (cell.loader, cell.treatment)
    )
    pair = quote(f"{cell.writer}~{cell.reader}")
    page.goto(f"{report}#view={view}&scenario={cell.scenario}&cell={pair}")
    command = page.locator("#cell .command pre").inner_text()
    assert command.startswith("ckptmatrix run ")
    options = shlex.split(command.removeprefix("ckptmatrix run "))
    planned = subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "plan", "--cells", *options],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"^\s*1 cells", planned.stdout, re.MULTILINE)
    assert f"saved-{cell.writer.removeprefix('accelerate-')}/" in planned.stdout
