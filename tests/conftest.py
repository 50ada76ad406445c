"""What tests share: the project's own home, so that environments are built once."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.plan.config import Config, read_config
from tests.support.places import ROOT

with suppress(ModuleNotFoundError):  # the grid, tests/matrix, is run without the tests' packages
    from hypothesis import settings

    # How long an example takes depends on the machine, and on what else it does.
    settings.register_profile("untimed", deadline=None)
    settings.load_profile("untimed")


@pytest.fixture(scope="session")
def project() -> Config:
    """The declared matrix, with the scenarios that only tests need."""
    config = read_config(ROOT / "matrix.toml")
    odd = [
        *(
            "Crashing",
            "Hanging",
            "Raising",
            "Noisy",
            "Constant",
            "Stepless",
            "Straying",
            "StrayingOn",
        ),
        *("Unsupported", "Misbuilt", "Unsavable"),
        *("Listing", "ListingRaised", "MislistingRaised"),
    ]
    more = {name.lower(): f"tests.worker.states:{name}" for name in odd}
    return replace(config, scenarios={**config.scenarios, **more})


@pytest.fixture(scope="session")
def lab(project: Config) -> Iterator[Lab]:
    """A lab on the CPU, in the project's own home."""
    with Lab(Site.of(project)) as lab:
        yield lab
