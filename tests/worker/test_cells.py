"""One child's crash, hang or noise is that cell's outcome alone; real workers, a real release."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ckptmatrix.environments.building import find_installation
from ckptmatrix.environments.stamp import read_stamp, write_stamp
from ckptmatrix.environments.worker_process import WorkerError
from ckptmatrix.measure.judge import HarnessError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CellRecord, Device, Status, Verdict
from ckptmatrix.util.home import Home
from ckptmatrix.worker import words
from ckptmatrix.worker.protocol import Request, Unsupported
from tests.support.places import NEWEST

pytestmark = pytest.mark.environments


def measured(lab: Lab, scenario: str) -> CellRecord:
    return lab.measured(Cell(NEWEST, NEWEST, scenario))


def test_a_sound_checkpoint_comes_back_exactly(lab: Lab) -> None:
    record = measured(lab, "basic")
    assert record.status == Status.EXACT
    assert record.resume is not None
    assert record.resume.steps == 6
    restored = {n for n, verdict in record.components.items() if verdict == Verdict.RESTORED}
    assert {"model", "optimizer", "scheduler", "rng.numpy", "step", "custom"} <= restored


def test_training_ends_with_the_first_step_that_differs(lab: Lab) -> None:
    record = measured(lab, "straying")
    assert record.status == Status.DEGRADED
    assert record.resume is not None
    assert record.resume.first_difference is not None
    found = record.resume.first_difference
    assert (found.step, found.quantity, record.resume.steps) == (3, "rng.python", 3)


def test_a_crash_is_that_cells_outcome_alone(lab: Lab) -> None:
    record = measured(lab, "crashing")
    assert record.status == Status.CRASHED
    assert record.error is not None
    assert "SIGABRT" in record.error.message
    assert measured(lab, "basic").status == Status.EXACT


def test_a_hang_ends_at_the_time_limit(lab: Lab) -> None:
    cell = Cell(NEWEST, NEWEST, "hanging")
    loading = replace(lab.loading(cell, lab.registry.treated(cell)), seconds=5)
    assert loading.outcome().status == Status.TIMEOUT
    assert measured(lab, "basic").status == Status.EXACT


def test_what_was_loaded_before_an_exception_is_told(lab: Lab) -> None:
    record = measured(lab, "raising")
    assert record.status == Status.FAILED
    assert record.error is not None
    assert (record.error.type, record.error.message) == ("LookupError", "nothing at CHECKPOINT")
    assert "states.py" in record.error.traceback
    assert record.components["step"] == Verdict.RESTORED
    assert record.resume is None


def test_what_a_library_prints_is_no_answer(lab: Lab) -> None:
    assert measured(lab, "noisy").status == Status.EXACT


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        ("constant", "custom is the same before the load as after a perfect one"),
        ("stepless", "no steps"),
    ],
)
def test_a_comparison_that_compares_nothing_is_an_error(lab: Lab, scenario: str, told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        measured(lab, scenario)


def test_what_no_release_can_do_is_unsupported_with_the_reason(lab: Lab) -> None:
    record = measured(lab, "unsupported")
    assert (record.status, record.reason) == (Status.UNSUPPORTED, "no release can do this")


@pytest.mark.parametrize(
    ("scenario", "told"), [("misbuilt", "got another"), ("unsavable", "disk full")]
)
def test_a_checkpoint_that_could_not_be_written_is_not_run(
    lab: Lab, scenario: str, told: str
) -> None:
    record = measured(lab, scenario)
    assert record.status == Status.NOT_RUN
    assert told in record.reason


def test_an_outcome_is_measured_once(lab: Lab) -> None:
    cell = Cell(NEWEST, NEWEST, "basic")
    lab.forget([cell])
    assert lab.unmeasured([cell]) == (cell,)
    first = lab.outcome(cell)
    assert lab.unmeasured([cell]) == ()
    assert lab.outcome(cell) == first


def test_an_environment_is_reused_only_while_it_is_what_it_was(lab: Lab, tmp_path: Path) -> None:
    built = lab.registry.installed(NEWEST)
    assert built.record.numpy.startswith("2.4")
    assert any(package.startswith("accelerate==1.15.0") for package in built.record.packages)
    site = replace(lab.site, home=Home(tmp_path))
    copy = site.home.environments / built.directory.name
    shutil.copytree(built.directory, copy, copy_function=os.link, symlinks=True)
    assert find_installation(NEWEST, site) == replace(built, directory=copy)
    assert find_installation(NEWEST, replace(site, device=Device.CUDA)) is None
    (package,) = copy.glob("lib/python*/site-packages/safetensors-*.dist-info")
    package.rename(package.with_name("safetensors-9.9.9.dist-info"))
    assert find_installation(NEWEST, site) is None


def test_modules_lent_by_another_environment_are_completed(lab: Lab, tmp_path: Path) -> None:
    built = lab.registry.installed(NEWEST)
    site = replace(lab.site, home=Home(tmp_path))
    copy = site.home.environments / built.directory.name
    shutil.copytree(built.directory, copy, copy_function=os.link, symlinks=True)
    whole = read_stamp(copy)
    assert whole is not None
    write_stamp(copy, replace(whole, warm=built.warm[:9], rehearsed=False))
    lent = find_installation(NEWEST, site)
    assert lent is not None
    assert len(lent.warm) == 9
    lent.start(site).close()
    own = find_installation(NEWEST, site)
    assert own is not None
    assert own.rehearsed
    assert len(own.warm) > 9
    with replace(own, rehearsed=False).start(site) as worker:
        assert worker.introduction.warm == own.warm  # a cell imports nothing else


@dataclass(frozen=True)
class Shout(Request[None]):
    """Nothing that a worker knows."""


def test_a_worker_that_is_asked_what_it_does_not_know_says_what_it_was(lab: Lab) -> None:
    told = r"question\.request is Shout, not one of Hello"
    installed = lab.registry.installed(NEWEST)
    with installed.start(lab.site) as worker, pytest.raises(WorkerError, match=told):
        worker.ask(Shout(), 60)


def test_an_answer_to_something_else_is_not_taken(lab: Lab) -> None:
    @dataclass(frozen=True)
    class Hello(Request[Unsupported]):
        """Asks as the real one does, and expects another answer."""

        device: words.Device = words.Device.CPU
        warm: tuple[str, ...] = ()
        rehearse: bool = False

    told = r"answer\.value is Introduction, not Unsupported"
    installed = lab.registry.installed(NEWEST)
    with installed.start(lab.site) as worker, pytest.raises(WorkerError, match=told):
        worker.ask(Hello(), 60)
