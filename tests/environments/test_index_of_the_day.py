"""The index is asked once a day, and a run goes on without it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ckptmatrix.environments.index_of_the_day import index_of_the_day
from ckptmatrix.plan.newer import PACKAGES, PYTHON
from ckptmatrix.util.home import Home
from tests.support.index import Index, ask_only, serving


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with serving() as index:
        ask_only(monkeypatch, index.url)
        for package in PACKAGES:
            index.release(package, "1.0", "2026-01-01")
        yield index


def age(home: Home, **by: float) -> None:
    """Make what is remembered older."""
    kept = json.loads(home.index.read_text())
    kept["asked"] = (datetime.now(UTC) - timedelta(**by)).isoformat()
    home.index.write_text(json.dumps(kept))


def torch(home: Home) -> list[str]:
    return [release.version for release in index_of_the_day(home).get("torch", ())]


def test_it_is_asked_once_a_day(home: Home, index: Index) -> None:
    found = index_of_the_day(home)
    assert list(found) == [*PACKAGES, PYTHON]
    assert found["torch"][0].uploaded == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert found[PYTHON]
    index.release("torch", "2.0", "2026-01-02")
    assert index_of_the_day(home) == found
    assert sorted(index.asked) == sorted(PACKAGES)
    age(home, hours=23)
    assert torch(home) == ["1.0"]
    age(home, hours=25)
    assert torch(home) == ["1.0", "2.0"]
    assert len(index.asked) == 2 * len(PACKAGES)


def test_another_index_is_asked_at_once(
    home: Home, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert torch(home) == ["1.0"]
    with serving() as other:
        for package in PACKAGES:
            other.release(package, "3.0")
        ask_only(monkeypatch, other.url)
        assert torch(home) == ["3.0"]


def test_an_index_that_is_gone_is_no_error_and_what_it_said_last_stands(
    home: Home, index: Index
) -> None:
    assert torch(home) == ["1.0"]
    age(home, hours=25)
    index.raw["numpy"] = (500, "text/plain", "")
    assert torch(home) == ["1.0"]
    asked = len(index.asked)
    assert torch(home) == ["1.0"]
    assert len(index.asked) == asked, "it was asked again at once"
    del index.raw["numpy"]
    index.release("torch", "2.0")
    age(home, minutes=61)
    assert torch(home) == ["1.0", "2.0"]


def test_an_index_that_never_answered_is_no_error(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_only(monkeypatch, "http://127.0.0.1:9/simple")
    assert index_of_the_day(home) == {}


def test_what_is_remembered_may_be_damaged(home: Home, index: Index) -> None:
    home.root.mkdir()
    for damaged in ("", "{", '{"asked": 3}'):
        home.index.write_text(damaged)
        assert torch(home) == ["1.0"]


def test_a_home_that_cannot_be_written_to_is_no_error(tmp_path: Path, index: Index) -> None:
    (tmp_path / "file").touch()
    assert torch(Home(tmp_path / "file" / "home")) == ["1.0"]
