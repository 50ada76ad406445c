"""A real Chromium with a fresh profile, and the report of a real run to open in it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from ckptmatrix.model import CellRecord, Matrix, Status, Verdict
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.report import write_reports
from tests.support import synthetic
from tests.support.places import BASIC_RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

playwright_api = pytest.importorskip(
    "playwright.sync_api", reason="needs the browser extra; `nox -s browser` installs it"
)

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SAMPLE = BASIC_RUN
SCREENSHOTS = os.environ.get("CKPTMATRIX_SCREENSHOTS")
"""Directory that keeps a picture of each tested state, for CI to show; unset keeps none."""


def chromium() -> str | None:
    """Find Debian's Chromium, or the one that the environment names."""
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    missing = pytest.mark.skip(reason="no Chromium: `apt-get install chromium` brings it")
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            if chromium() is None:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with playwright_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    """Give a committed run, or the one whose matrix.json CKPTMATRIX_MATRIX names."""
    return read_matrix(Path(os.environ.get("CKPTMATRIX_MATRIX") or SAMPLE))


@pytest.fixture(scope="session")
def report(matrix: Matrix, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the address of that run's report, made by the code under test."""
    directory = tmp_path_factory.mktemp("report")
    write_reports(matrix, directory)
    return (directory / "index.html").as_uri()


@pytest.fixture(scope="session")
def many() -> Matrix:
    """Give a matrix of several scenarios, one of which no release resumes."""
    matrix = synthetic.matrix(
        ["0.24.1", "0.31.0", "0.33.0", "1.1.1", "1.15.0"],
        ["accumulation", "basic", "stateful-dataloader", "numpy-in-custom"],
        (("accelerate", "as-saved"), ("ckptmatrix", "as-saved")),
    )
    lost = {"custom": Verdict.LOST}

    def altered(c: CellRecord) -> CellRecord:
        if (c.scenario, c.loader, c.status) == ("numpy-in-custom", "accelerate", Status.EXACT):
            return replace(c, status=Status.DEGRADED, components={**c.components, **lost})
        # One scenario that nothing helps.
        if (c.scenario, c.loader, c.status) == ("accumulation", "ckptmatrix", Status.EXACT):
            return replace(c, status=Status.FAILED)
        return c

    return replace(matrix, cells=tuple(map(altered, matrix.cells)))


@pytest.fixture(scope="session")
def many_report(many: Matrix, tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("many")
    write_reports(many, directory)
    return (directory / "index.html").as_uri()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the address of a report that is full of markup from checkpoints and exceptions."""
    directory = tmp_path_factory.mktemp("hostile")
    markup = "</script><img src=x onerror=\"document.title='broken'\"><b>bold</b>&amp;"
    write_reports(synthetic.matrix(["0.31.0", "0.33.0", "1.15.0"], hostile=markup), directory)
    return (directory / "index.html").as_uri()


def drawing(page: Page) -> list[int]:
    """Give the ids of the processes in which a page's Chromium draws."""
    browser = page.context.browser
    assert browser is not None
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    return [one["id"] for one in told["processInfo"] if one["type"].lower() == "gpu"]


class Watched:
    """A page, and everything that it complained about or asked of anybody."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def settle(self, patience: float = 30_000) -> None:
        """Wait until the page has done what it leaves for when the browser is idle.

        The process in which Chromium draws has been seen to hang, once in some hundred pages on a
        busy machine; nothing is drawn then, ever. After `patience`, in ms, it is ended, and
        Chromium starts another.
        """
        self.page.evaluate(
            "() => { window.settled = false;"
            " requestAnimationFrame(() => requestIdleCallback(() => { window.settled = true; })) }"
        )
        try:
            self.page.wait_for_function("() => window.settled", polling=20, timeout=patience)
        except playwright_api.TimeoutError:
            for process in drawing(self.page):
                os.kill(process, signal.SIGKILL)
            self.page.wait_for_function("() => window.settled", polling=20)

    def picture(self, name: str) -> None:
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            whole = not self.page.locator("dialog[open]").count()
            self.page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"), full_page=whole)


class OpenPage(Protocol):
    """Opens an address in a fresh profile; the options are those of playwright's `new_context`."""

    def __call__(
        self, address: str, width: int = 1366, height: int = 900, **options: Any
    ) -> Watched: ...


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open an address in a fresh profile; afterwards it must have complained of nothing."""
    contexts: list[BrowserContext] = []
    opened: list[tuple[Watched, str]] = []

    def open_page(address: str, width: int = 1366, height: int = 900, **options: Any) -> Watched:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        watched = Watched(contexts[-1].new_page())
        opened.append((watched, address.partition("#")[0]))
        watched.page.goto(address)
        if options.get("java_script_enabled", True):
            watched.settle()
        return watched

    yield open_page
    for watched, address in opened:
        assert watched.complaints == []
        assert {request.partition("#")[0] for request in watched.requests} <= {address, "data:,"}
    for context in contexts:
        context.close()
