"""What a person sees in a project's own pytest where a cell came out otherwise than is known."""

import re

import pytest

from tests.support.places import ROOT

pytest_plugins = ("pytester",)
pytestmark = pytest.mark.environments


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with this project's matrix and no expectations."""
    pytester.makefile(".toml", matrix=(ROOT / "matrix.toml").read_text(encoding="utf-8"))
    pytester.makepyfile(test_grid="from ckptmatrix.plugin import Grid\n\ngrid = Grid()\n")
    return pytester


def test_a_failure_shows_cause_and_remedy_and_names_versions_as_such(
    project: pytest.Pytester,
) -> None:
    ends = ("--matrix-stack", "torch2.15-np1", "--matrix-accelerate", "0.33.0,1.15.0")
    result = project.runpytest("-v", "-k", "loaded-0.33.0", *ends, "--matrix-remedies", "no")
    told = result.stdout.str()
    result.assert_outcomes(failed=2)
    assert "cell basic/saved-1.15.0+torch2.15-np1/loaded-0.33.0+torch2.15-np1" in told
    assert "by accelerate, as-saved: failed: KeyError: 'step'" in told
    assert re.search(r"^cause: KeyError: 'step'", told, re.MULTILINE)
    assert re.search(r"^remedy: \S", told, re.MULTILINE)
    assert "0::33::0" not in told
