"""The newest release on the newest stack, in the repository's own home."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell
from ckptmatrix.plan.config import read_config, shipped
from tests.support.places import NEWEST, ROOT

SHIPPED = tuple(shipped("scenarios", "scenario"))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    declared = read_config(ROOT / "matrix.toml")
    odd = {
        name: f"tests.maintenance.scenarios:{name.capitalize()}"
        for name in ("constant", "stateless", "ended", "broken")
    }
    config = replace(declared, scenarios={**declared.scenarios, **odd})
    with Lab(Site.of(config)) as lab:
        yield lab


@pytest.fixture(scope="session")
def own_cell(lab: Lab) -> Callable[[str], Cell]:
    """The newest environment with itself, in a scenario that it can write."""

    def cell(scenario: str) -> Cell:
        written = lab.registry.written(NEWEST, scenario).record
        if written.status != "written":
            pytest.skip(f"{scenario}: {written.status}: {written.reason}")
        return Cell(NEWEST, NEWEST, scenario)

    return cell
