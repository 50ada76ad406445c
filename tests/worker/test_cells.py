"""One child's crash, hang or noise is that cell's outcome alone; real workers, a real release."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ckptmatrix.environments.building import find_installation
from ckptmatrix.environments.stamp import read_stamp, write_stamp
from ckptmatrix.environments.worker_process import WorkerError
from ckptmatrix.measure.faults import HarnessError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CellRecord, Environment, Status, Verdict
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


@pytest.mark.parametrize(("scenario", "steps"), [("straying", 3), ("strayingon", 6)])
def test_training_ends_with_the_first_step_that_differs(
    lab: Lab, scenario: str, steps: int
) -> None:
    record = measured(lab, scenario)
    assert record.status == Status.DEGRADED
    assert record.resume is not None
    assert record.resume.first_difference is not None
    found = record.resume.first_difference
    assert (found.step, found.quantity, record.resume.steps) == (3, "rng.python", steps)


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


@pytest.mark.parametrize(
    ("scenario", "status", "optimizer"),
    [
        ("listing", Status.EXACT, Verdict.RESTORED),
        ("listingraised", Status.FAILED, Verdict.RESTORED),
        ("mislistingraised", Status.FAILED, Verdict.WRONG),
    ],
)
def test_a_list_that_came_back_for_a_tuple_is_no_loss_a_value_in_it_is(
    lab: Lab, scenario: str, status: Status, optimizer: Verdict
) -> None:
    record = measured(lab, scenario)
    assert (record.status, record.components["optimizer"]) == (status, optimizer)
    assert ("optimizer" in record.differences) == (optimizer is Verdict.WRONG)


def test_what_a_library_prints_is_no_answer(lab: Lab) -> None:
    assert measured(lab, "noisy").status == Status.EXACT


def test_a_comparison_that_compares_nothing_is_an_error(lab: Lab) -> None:
    with pytest.raises(HarnessError, match="no steps"):
        measured(lab, "stepless")


def test_a_component_that_is_always_the_same_is_not_told_apart(lab: Lab) -> None:
    record = measured(lab, "constant")
    assert (record.components["custom"], record.status) == (Verdict.NOT_TOLD_APART, Status.EXACT)


def test_what_no_release_can_do_is_unsupported_with_the_reason(lab: Lab) -> None:
    record = measured(lab, "unsupported")
    assert (record.status, record.reason) == (Status.UNSUPPORTED, "no release can do this")


def test_a_save_that_raises_is_an_outcome_of_the_release(lab: Lab) -> None:
    record = measured(lab, "unsavable")
    assert record.status == Status.NOT_RUN
    assert "disk full" in record.reason
    assert lab.fault(Cell(NEWEST, NEWEST, "unsavable")) is None


def test_a_script_that_raises_is_a_fault_with_its_place(lab: Lab) -> None:
    record = measured(lab, "misbuilt")
    assert record.status == Status.NOT_RUN
    assert "ckptmatrix failed on it: verify: RuntimeError: " in record.reason
    fault = lab.fault(Cell(NEWEST, NEWEST, "misbuilt"))
    assert fault is not None
    assert (fault.phase, fault.type) == ("verify", "RuntimeError")
    assert "got another" in fault.message
    source = Path(fault.file).read_text("utf-8").splitlines()
    assert "raise RuntimeError" in source[fault.line - 1]
    assert "in verify" in fault.traceback
    assert Path(fault.log).exists()


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
    on_gpu = Environment(NEWEST.accelerate, f"{NEWEST.stack}+cuda")
    assert find_installation(on_gpu, site) is None
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
