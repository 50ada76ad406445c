"""A way round, run for real: confirmed where every stop keeps all, refuted where one does not."""

from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.plan.config import read_config
from ckptmatrix.results.hops import verifier
from ckptmatrix.util.home import Home
from tests.support import synthetic
from tests.support.places import ROOT

CONFIG = read_config(ROOT / "matrix.toml")
MATRIX = synthetic.matrix(["0.24.1", "0.31.0", "0.33.0", "1.15.0"])


def stops(*releases: str) -> tuple[str, ...]:
    return tuple(f"accelerate-{release}+torch2.4-np1" for release in releases)


def test_without_its_environments_a_path_stays_unverified(tmp_path: Path) -> None:
    verify = verifier(Site(CONFIG, Home(tmp_path)), build=False)
    path = verify(MATRIX, stops("0.24.1", "1.15.0", "0.33.0"), ("basic",))
    assert path.verified is None
    assert not list(tmp_path.rglob("*.py"))


@pytest.mark.environments
def test_hops_that_keep_everything_are_confirmed_and_the_checkpoint_stays_as_it_was() -> None:
    home = Home.of(CONFIG.root)
    verify = verifier(Site(CONFIG, home), build=True)
    way = stops("0.24.1", "1.15.0", "0.33.0")
    assert verify(MATRIX, way, ("basic",)).verified is True
    kept = {path: path.stat().st_mtime_ns for path in home.checkpoints.rglob("*") if path.is_file()}
    assert verify(MATRIX, way, ("basic",)).verified is True
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not list(home.checkpoints.rglob("*.again"))


@pytest.mark.environments
def test_a_stop_that_drops_the_step_is_found_out() -> None:
    verify = verifier(Site.of(CONFIG), build=True)
    path = verify(MATRIX, stops("0.33.0", "0.31.0", "1.15.0"), ("basic",))
    assert path.verified is False
    assert path.detail.startswith("basic in 0.31.0+torch2.4-np1 is degraded: lost step")
