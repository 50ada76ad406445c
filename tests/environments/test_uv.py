"""What uv says, in a sentence."""

import os
import sys
from pathlib import Path

import pytest

from ckptmatrix.environments.uv import InstallError, install, one_sentence
from ckptmatrix.model import Environment, Stack

CONFLICT = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because accelerate==0.33.0 depends on numpy>=1.17,<2.0.0 and you require accelerate==0.33.0,
      we can conclude that you require numpy>=1.17,<2.0.0.
      And because you require numpy==2.4.1, we can conclude that they are unsatisfiable.
"""


def test_the_resolvers_reason_in_one_sentence() -> None:
    reason = one_sentence(CONFLICT)
    assert "accelerate==0.33.0 depends on numpy>=1.17,<2.0.0" in reason
    assert "conclude" not in reason
    assert "\n" not in reason
    assert one_sentence("error: Failed to fetch `x`\n") == "Failed to fetch `x`"
    assert one_sentence("")


@pytest.fixture
def no_pythons(tmp_path: Path) -> dict[str, str]:
    """Variables for a uv that finds no Python and whose place to fetch one from is not there."""
    return {
        **os.environ,
        "UV_PYTHON_PREFERENCE": "only-managed",
        "UV_PYTHON_INSTALL_DIR": str(tmp_path / "pythons"),
        "UV_PYTHON_INSTALL_MIRROR": "http://127.0.0.1:9",
        "UV_HTTP_RETRIES": "0",
    }


def create(python: str, directory: Path, settings: dict[str, str]) -> None:
    stack = Stack("bare", python, ())
    install(Environment("1.15.0", "bare"), stack, directory, settings, ())


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "Connection refused"),
        ({"UV_PYTHON_DOWNLOADS": "never"}, "downloads are set to 'never'"),
        ({"UV_OFFLINE": "1"}, "uv is set to offline mode"),
    ],
)
def test_a_python_that_cannot_be_had_is_told(
    more: dict[str, str], why: str, tmp_path: Path, no_pythons: dict[str, str]
) -> None:
    with pytest.raises(InstallError) as error:
        create("3.14", tmp_path / "environment", {**no_pythons, **more})
    told = str(error.value)
    assert told.startswith("Python 3.14 is not on this machine and cannot be fetched (")
    assert why in told
    assert "uv python install 3.14" in told
    assert "\n" not in told


def test_a_python_that_uv_does_not_know_is_told(tmp_path: Path, no_pythons: dict[str, str]) -> None:
    with pytest.raises(InstallError, match=r"Python 3\.99 is not on this machine"):
        create("3.99", tmp_path / "environment", no_pythons)


def test_what_else_goes_wrong_is_not_blamed_on_python(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(InstallError) as error:
        create(running, tmp_path / "file", dict(os.environ))
    assert "is not on this machine" not in str(error.value)
