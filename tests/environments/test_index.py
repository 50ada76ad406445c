"""The package index, and the machine's settings of it."""

from pathlib import Path

import pytest

from ckptmatrix.environments import index
from ckptmatrix.environments.index import uv_settings
from ckptmatrix.errors import CkptmatrixError


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


def test_an_index_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(CkptmatrixError, match="package index could not be asked") as error:
        index.released("accelerate")
    assert error.value.remedy
