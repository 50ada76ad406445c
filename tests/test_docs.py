"""The pages are true in what can be looked up: links, paths, sessions, scenarios, folders."""

import re
from pathlib import Path

import pytest

from ckptmatrix import __version__
from ckptmatrix.plan.config import read_config
from tests.support.places import ROOT

DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")
ROOTED = re.compile(r"`((?:src|tests|tools|docs|fixtures)/[\w./-]+)`")


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as hosts of repositories make them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


def links(page: Path) -> list[tuple[str, str]]:
    """(path, anchor) of every link of a page to a file of the repository, or into itself."""
    prose = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    return LINK.findall(prose)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    for path in ROOTED.findall(page.read_text(encoding="utf-8")):
        there = path.partition("NAME")[0] if "NAME" in path else path
        assert (ROOT / there).exists(), path


def test_the_index_has_every_page() -> None:
    listed = {path for path, _ in links(DOCS / "README.md")}
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= listed
    assert "docs/README.md" in {path for path, _ in links(ROOT / "README.md")}


def test_every_session_is_described_and_every_described_one_is_there() -> None:
    sessions = set(re.findall(r"@nox\.session\ndef (\w+)", (ROOT / "noxfile.py").read_text()))
    named = set(re.findall(r"`nox -s ([a-z]+)", CONTRIBUTING))
    assert len(sessions) > 5
    assert named == sessions


def test_every_shipped_scenario_is_described_and_every_described_one_is_there() -> None:
    page = (DOCS / "scenarios.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    described = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
    sources = read_config(ROOT / "matrix.toml").scenarios.items()
    assert described == {name for name, source in sources if source.startswith("ckptmatrix.")}


def test_every_folder_and_module_of_the_package_has_its_one_job_named() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The folders")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    described = {name.rstrip("/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    package = ROOT / "src" / "ckptmatrix"
    held = {
        path.name
        for path in package.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert described == held - {"__init__.py", "__main__.py"}


def test_the_changelog_speaks_of_this_version() -> None:
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == "Unreleased"
    assert __version__ in heads
