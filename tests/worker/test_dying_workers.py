"""A worker that dies costs a run nothing but time, and nothing of a killed run lives on."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.environments.worker_process import WorkerKilledError
from ckptmatrix.maintenance.processes import Process, Role, processes_of
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CheckpointStatus, Status
from ckptmatrix.plan.config import Config
from ckptmatrix.worker.words import ControlKind
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

Labs = Callable[[str], Lab]
T = TypeVar("T")


@pytest.fixture
def lab_of(project: Config, tmp_path: Path) -> Iterator[Labs]:
    """A lab with a scenario `killed`: `VICTIM,METHOD`, once; with `,` at its end, each time."""
    opened = []

    def lab(when: str) -> Lab:
        flag = "" if when.endswith(",") else f",{tmp_path / 'flag'}"
        named = {"killed": f"tests.worker.states:Killed@{when}{flag}"}
        config = replace(project, scenarios={**project.scenarios, **named})
        opened.append(Lab(Site.of(config)))
        return opened[-1]

    yield lab
    for one in opened:
        one.close()


def status(lab: Lab, scenario: str) -> Status:
    return lab.measured(Cell(NEWEST, NEWEST, scenario)).status


@pytest.mark.parametrize("when", ["worker,save", "child,save", "worker,load", "child,load"])
def test_who_is_killed_at_work_does_it_once_more(lab_of: Labs, tmp_path: Path, when: str) -> None:
    lab = lab_of(when)
    written = lab.registry.written(NEWEST, "killed")
    assert written.record.status == CheckpointStatus.WRITTEN
    assert not (written.place / "half").exists()
    # The second load and the third are made by a stage's children.
    assert [status(lab, "killed") for _ in range(3)] == [Status.EXACT] * 3
    assert (tmp_path / "flag").exists()


@pytest.mark.parametrize("victim", ["worker", "child"])
def test_from_a_stage_as_well(lab_of: Labs, tmp_path: Path, victim: str) -> None:
    lab = lab_of(f"{victim},load")
    (tmp_path / "flag").touch()
    assert [status(lab, "killed") for _ in range(3)] == [Status.EXACT] * 3
    (tmp_path / "flag").unlink()
    assert status(lab, "killed") == Status.EXACT
    assert (tmp_path / "flag").exists()


def test_a_control_goes_on_where_its_worker_is_killed(lab_of: Labs) -> None:
    lab = lab_of("worker,load")
    cell = Cell(NEWEST, NEWEST, "basic")
    loading = lab.loading(cell, lab.registry.written(NEWEST, "basic"))
    os.kill(lab.registry.worker(NEWEST).pid, signal.SIGKILL)
    assert loading.control(ControlKind.PERFECT).status == Status.EXACT
    os.kill(lab.registry.worker(NEWEST).pid, signal.SIGTERM)
    assert loading.control(ControlKind.NOTHING).status == Status.DEGRADED


def test_work_that_kills_every_worker_is_a_fault_that_is_named_and_the_rest_goes_on(
    lab_of: Labs,
) -> None:
    lab = lab_of("worker,load,")
    lab.registry.written(NEWEST, "killed")
    told = (
        r"died 3 times at the same work, Load of tests\.worker\.states:Killed.*: killed by SIGKILL"
    )
    with pytest.raises(WorkerKilledError, match=told) as caught:
        status(lab, "killed")
    assert str(lab.site.home.logs / f"{NEWEST.short}.log") in caught.value.remedy
    assert status(lab, "basic") == Status.EXACT


def test_so_is_a_checkpoint_whose_every_writer_is_killed(lab_of: Labs) -> None:
    lab = lab_of("worker,save,")
    fault = lab.registry.written(NEWEST, "killed").fault
    assert fault is not None
    assert "died 3 times" in fault.message
    assert fault.log
    assert lab.registry.written(NEWEST, "basic").fault is None


def test_a_load_whose_every_process_is_killed_is_a_crash(lab_of: Labs) -> None:
    record = lab_of("child,load,").measured(Cell(NEWEST, NEWEST, "killed"))
    assert record.status == Status.CRASHED
    assert record.error is not None
    assert record.error.message == "killed by SIGKILL"


HOST = """
from dataclasses import replace
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Device
from ckptmatrix.plan.config import read_config
from tests.support.places import NEWEST, ROOT
config = read_config(ROOT / "matrix.toml")
config = replace(config, scenarios={**config.scenarios, "it": "tests.worker.states:SCENARIO"})
lab = Lab(Site.of(config))
for _ in range(3):
    print("asked", flush=True)
    lab.measured(Cell(NEWEST, NEWEST, "it"))
"""


@pytest.mark.parametrize("victim", [Role.RUN, Role.WORKER])
def test_nothing_outlives_whoever_started_it(lab: Lab, victim: Role) -> None:
    lab.registry.written(NEWEST, "basic")
    command = [sys.executable, "-c", HOST.replace("SCENARIO", "Hanging")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as host:
        every = until(lambda: with_child(host.pid))
        below = every[[one.role for one in every].index(victim) :]
        below[0].kill()
        until(lambda: not [one for one in below if one.alive])
        host.kill()
        host.wait()
        until(lambda: not [one for one in every if one.alive])


def with_child(run: int) -> tuple[Process, ...]:
    """A run's processes once a load has begun in a child of its worker."""
    every = processes_of(run)
    return every if Role.CHILD in [one.role for one in every] else ()


def until(found: Callable[[], T]) -> T:
    """What is found, as soon as it is; fails after two minutes."""
    deadline = time.monotonic() + 120
    while not (there := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return there
