"""The package index, asked for real, and the machine's settings of it."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ckptmatrix.environments.index import places, released, releases, uv_settings
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.plan.newer import IndexRelease
from tests.support.index import JSON, Index, ask_only, html, serving


def test_pips_settings_are_handed_on_to_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path} {tmp_path / 'missing'}")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple")
    found = uv_settings({})
    assert found["UV_FIND_LINKS"] == str(tmp_path)
    assert found["UV_DEFAULT_INDEX"] == "https://index.example/simple"
    kept = uv_settings({"UV_FIND_LINKS": "mine", "UV_INDEX_URL": "mine"})
    assert "UV_FIND_LINKS" not in kept
    assert "UV_DEFAULT_INDEX" not in kept


def test_places_are_those_that_environments_are_installed_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example/a https://more.example/b")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    found = places({})
    more = ("https://more.example/a", "https://more.example/b")
    assert found.indexes == ("https://index.example/simple", *more)
    assert found.find_links == (str(tmp_path),)
    named = places(
        {"UV_DEFAULT_INDEX": "https://uv.example", "UV_INDEX": "own=https://own.example"}
    )
    assert named.indexes == ("https://uv.example", "https://own.example")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert places({}).indexes == ()
    assert places({}).find_links == (str(tmp_path),)


def test_without_settings_it_is_the_index_that_pip_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    command = [sys.executable, "-m", "pip", "download", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (only,) = places({}).indexes
    assert f"(default {only})" in " ".join(told.split())


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with serving() as index:
        ask_only(monkeypatch, index.url)
        yield index


def test_releases_have_the_date_of_their_first_file(index: Index) -> None:
    index.release("torch", "2.14.0", "2026-09-03", ">=3.10", platform="cp311-cp311-win_amd64")
    index.release("torch", "2.14.0", "2026-09-02T13:42:48.266558Z", ">=3.10")
    index.release("torch", "2.9.0", "2025-10-15")
    assert releases("torch") == (
        IndexRelease("2.9.0", datetime(2025, 10, 15, 12, tzinfo=UTC)),
        IndexRelease("2.14.0", datetime(2026, 9, 2, 13, 42, 48, 266558, tzinfo=UTC), ">=3.10"),
    )
    assert released("torch") == ("2.9.0", "2.14.0")


def test_an_index_may_be_sloppy(index: Index) -> None:
    index.release("torch", "2.14.0", "2026-09-02T13:00:00", requires="3.10 or so")
    index.release("torch", "2.14.0", "2026-09-02T12:00:00Z", platform="cp311-cp311-win_amd64")
    assert releases("torch") == (IndexRelease("2.14.0", datetime(2026, 9, 2, 12, tzinfo=UTC)),)


@pytest.mark.parametrize("html_only", [False, True])
def test_withdrawn_and_pre_releases_do_not_count(index: Index, html_only: bool) -> None:
    index.html_only = html_only
    index.release("torch", "2.14.0", requires=">=3.10")
    index.release("torch", "2.14.1", yanked="broken", platform="cp311-cp311-win_amd64")
    index.release("torch", "2.14.1", requires=">=3.11")  # one file of it was left
    index.release("torch", "2.14.2", yanked=True)
    for pre in ("2.15.0rc1", "2.15.0.dev3", "2.15.0a1"):
        index.release("torch", pre)
    index.release("torch", "2.13.0+cpu")
    index.release("torchvision", "3.0")
    index.files["torch"] += index.files["torchvision"]  # a page may list anything
    index.files["torch"].append({**index.files["torch"][0], "filename": "torch-9.exe"})
    assert releases("torch") == (
        IndexRelease("2.13.0"),
        IndexRelease("2.14.0", requires_python=">=3.10"),
        IndexRelease("2.14.1", requires_python=">=3.11"),
    )


def test_the_older_form_gives_no_dates(index: Index) -> None:
    index.html_only = True
    index.release("torch", "2.14.0", "2026-09-02")
    assert releases("torch") == (IndexRelease("2.14.0"),)


def test_several_places_are_put_together(
    index: Index, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("torch-2.16.0.tar.gz", "torch-2.15.0-py3-none-any.whl", "readme.txt"):
        (tmp_path / name).touch()
    mirror = tmp_path / "mirror" / "torch"
    mirror.mkdir(parents=True)
    with serving(html_only=True) as other:
        ask_only(
            monkeypatch, other.url, index.url, mirror.parent.as_uri(), find_links=str(tmp_path)
        )
        other.release("torch", "2.14.0")
        other.release("torch", "2.14.1")
        (mirror / "index.html").write_text(html(other.files["torch"]).replace("2.14.1", "2.13.0"))
        index.release("torch", "2.14.0", "2026-09-02")
        found = {release.version: release.uploaded for release in releases("torch")}
    assert list(found) == ["2.13.0", "2.14.0", "2.14.1", "2.15.0", "2.16.0"]
    dated = [version for version, uploaded in found.items() if uploaded]
    assert dated == ["2.14.0"]


def test_a_package_that_only_one_of_two_indexes_has(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as other:
        ask_only(monkeypatch, other.url, index.url)
        index.release("torch", "2.14.0")
        assert released("torch") == ("2.14.0",)
        assert other.asked == ["torch"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((503, "text/plain", "busy"), "it answered 503"),
        ((403, "text/plain", "no"), "it answered 403"),
        ((200, JSON, '{"files": [{"name": 1}]}'), "its answer is not understood"),
        ((200, JSON, "<html>"), "its answer is not understood"),
        ((404, "text/plain", ""), "it has none"),
        ((200, "text/html", "<p>welcome</p>"), "it has none"),
    ],
)
def test_an_index_that_cannot_be_asked_is_told(
    index: Index, answer: tuple[int, str, str], told: str
) -> None:
    index.raw["torch"] = answer
    with pytest.raises(CkptmatrixError, match=r"package index.* could not be asked") as error:
        releases("torch")
    assert told in error.value.message
    assert error.value.remedy
    assert error.value.exit_code == 3


def test_an_index_that_is_not_there_is_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask_only(monkeypatch, "http://me:secret@127.0.0.1:9/simple")
    with pytest.raises(CkptmatrixError) as error:
        releases("torch")
    assert "at http://127.0.0.1:9/simple/torch/ could not be asked" in error.value.message
    assert error.value.message.endswith("Connection refused")
    assert "secret" not in str(error.value)


def test_an_address_that_is_none_is_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask_only(monkeypatch, "http://me:secret@127.0.0.1:port/simple")
    with pytest.raises(CkptmatrixError, match="could not be asked") as error:
        releases("torch")
    assert "secret" not in str(error.value)


def test_an_index_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ask_only(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}/simple")
        places({})  # asks pip, which takes its time
        began = time.monotonic()
        with pytest.raises(CkptmatrixError, match="could not be asked"):
            releases("torch", timeout=0.2)
        assert time.monotonic() - began < 5


def test_the_machines_own_index_has_what_pip_finds_there() -> None:
    command = [sys.executable, "-m", "pip", "index", "versions", "accelerate", "--json"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        pytest.skip(f"pip cannot ask the index: {asked.stderr.strip().splitlines()[-1]}")
    assert set(json.loads(asked.stdout)["versions"]) <= set(released("accelerate"))
