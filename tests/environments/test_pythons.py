"""The Pythons that uv can fetch, by its real list and by lists of our own."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.version import Version

from ckptmatrix.environments.pythons import pythons


def test_uvs_own_list() -> None:
    found = {release.version: release for release in pythons(dict(os.environ))}
    if not found:
        pytest.skip("uv knows no Python for this machine")
    assert {"3.11", "3.12", "3.13"} <= set(found)
    assert sorted(found, key=Version) == list(found)
    assert found["3.12"].uploaded == datetime(2023, 10, 2, tzinfo=UTC)  # 3.12.0 came out that day


def test_no_network_and_no_permission_to_download_change_nothing() -> None:
    told = pythons(dict(os.environ))
    assert pythons({**os.environ, "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}) == told


def build(version: str, day: str) -> dict[str, object]:
    parts = Version(version)
    return {
        "name": "cpython",
        "arch": {"family": os.uname().machine, "variant": None},
        "os": os.uname().sysname.lower(),
        "libc": "gnu",
        "major": parts.major,
        "minor": parts.minor,
        "patch": parts.micro,
        "prerelease": version.partition("0")[2] if parts.is_prerelease else "",
        "url": f"https://index.example/download/{day}/cpython-{version}.tar.gz",
        "sha256": None,
        "variant": None,
        "build": day,
    }


def listed(path: Path, *builds: tuple[str, str]) -> dict[str, str]:
    entries = {f"cpython-{version}-x": build(version, day) for version, day in builds}
    path.write_text(json.dumps(entries))
    return {**os.environ, "UV_PYTHON_DOWNLOADS_JSON_URL": str(path)}


def test_pre_releases_do_not_count_and_the_first_build_is_the_date(tmp_path: Path) -> None:
    settings = listed(
        tmp_path / "list.json",
        *(("3.98.1", "20300301"), ("3.98.0", "20300201"), ("3.99.0a1", "20300302")),
        *(("3.100.0", "latest"),),
    )
    found = pythons(settings)
    assert [release.version for release in found] == ["3.98", "3.100"]
    assert [release.uploaded for release in found] == [datetime(2030, 2, 1, tzinfo=UTC), None]


def test_a_list_that_cannot_be_had_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("{")
    settings = {**os.environ, "UV_PYTHON_DOWNLOADS_JSON_URL": str(tmp_path / "list.json")}
    assert pythons(settings) == ()
