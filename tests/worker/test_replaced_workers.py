"""A worker that may not be forked any more harms no cell: another one answers in its place."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.environments.worker_process import WorkerError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Status
from ckptmatrix.plan.config import Config
from tests.support.places import NEWEST

pytestmark = pytest.mark.environments

STATES = "tests.worker.states"


@pytest.fixture
def lab(project: Config, tmp_path: Path) -> Iterator[Lab]:
    more = {
        "threaded": f"{STATES}:Threaded",
        "restless": f"{STATES}:Restless@{tmp_path / 'flag'}",
        "restive": f"{STATES}:Restive",
    }
    config = replace(project, scenarios={**project.scenarios, **more})
    with Lab(Site.of(config)) as lab:
        yield lab


def status(lab: Lab, scenario: str) -> Status:
    return lab.measured(Cell(NEWEST, NEWEST, scenario)).status


def pid(lab: Lab) -> int:
    return lab.registry.worker(NEWEST).pid


def test_what_makes_a_process_unfit_is_not_exercised_in_the_worker(lab: Lab) -> None:
    lab.registry.written(NEWEST, "threaded")
    before = pid(lab)
    assert [status(lab, "threaded") for _ in range(3)] == [Status.EXACT] * 3
    assert status(lab, "basic") == Status.EXACT
    assert pid(lab) == before


def test_a_worker_that_became_unfit_is_replaced_and_the_request_repeated(lab: Lab) -> None:
    lab.registry.written(NEWEST, "restless")
    before = pid(lab)
    log = lab.site.home.logs / f"{NEWEST.short}.log"
    said = log.stat().st_size
    assert status(lab, "restless") == Status.EXACT
    assert pid(lab) != before
    assert (
        "another worker is started, for this one may not be forked: threads beside its first: "
        in log.read_text()[said:]
    )
    assert f"since Load of {STATES}:Restless" in log.read_text()[said:]
    after = pid(lab)
    assert status(lab, "restless") == status(lab, "basic") == Status.EXACT
    assert pid(lab) == after


def test_what_makes_every_worker_unfit_is_a_fault_of_the_harness_that_names_it(lab: Lab) -> None:
    lab.registry.written(NEWEST, "restive")
    told = rf"just been started may not be forked: .* since Load of {STATES}:Restive"
    with pytest.raises(WorkerError, match=told):
        status(lab, "restive")
    assert status(lab, "basic") == Status.EXACT
