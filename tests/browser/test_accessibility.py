"""axe finds nothing to object to, in any state that the page can be in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import OpenPage

axe_api = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="needs the browser extra"
)

STATES = {
    "at first": "",
    "filtered": "#hide=exact&direction=upgrade",
    "unfolded": "#unfold=1&saved=torch2.15-np2&loaded=torch2.15-np2",
    "cell open": "#cell=accelerate-0.33.0%2Btorch2.15-np1~accelerate-0.33.0%2Btorch2.15-np1",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_no_violation(
    open_page: OpenPage, report: str, state: str, scheme: Literal["light", "dark"]
) -> None:
    page = open_page(report + STATES[state], color_scheme=scheme).page
    page.locator("details").evaluate_all("(all) => all.forEach((each) => { each.open = true; })")
    found = axe_api.Axe().run(page)
    told = [
        f"{violation['id']}: {violation['help']} "
        f"({len(violation['nodes'])}: {violation['nodes'][0]['html'][:160]})"
        for violation in found.response["violations"]
    ]
    assert told == []


@pytest.mark.parametrize("state", ["#scenario=*", "#from=OLD&to=NEW", "#cell=OLD~NEW&tab=basic"])
def test_axe_finds_no_violation_over_many_scenarios(
    open_page: OpenPage, many_report: str, state: str
) -> None:
    old, new = "accelerate-0.31.0%2Btorch2.4-np1", "accelerate-1.1.1%2Btorch2.15-np2"
    page = open_page(many_report + state.replace("OLD", old).replace("NEW", new)).page
    page.locator("details").evaluate_all("(all) => all.forEach((each) => { each.open = true; })")
    assert [found["id"] for found in axe_api.Axe().run(page).response["violations"]] == []
