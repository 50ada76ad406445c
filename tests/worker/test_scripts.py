"""Trainings as people's scripts do them: what the writer itself went on with is the standard."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.controls import controls_of
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CellRecord, CheckpointStatus, Environment, Status, Verdict
from ckptmatrix.plan.config import Config
from tests.support.places import NEWEST

pytestmark = pytest.mark.environments

ALWAYS_SEEDABLE = Environment("0.25.0", "torch2.15-np2")
OLDER_TORCH = Environment("1.15.0", "torch2.4-np1")
SCRIPTS = {
    "epoch-end": "EpochEnd",
    "mid-epoch-skipping": "MidEpoch",
    "gradients": "Gradients",
    "drawing-hooks": "DrawingHooks",
    "drawing-late": "DrawingLate",
    "more-recorded": "MoreRecorded",
    "forgetful": "Forgetful",
    "part-of-steps": "PartOfSteps",
    "state-file": "StateFile",
    "undeclared-file": "UndeclaredFile",
}


@pytest.fixture(scope="module")
def lab(project: Config) -> Iterator[Lab]:
    scripts = {name: f"tests.worker.scripts:{kind}" for name, kind in SCRIPTS.items()}
    scripts["two-processes"] = "tests.worker.generators:two"
    config = replace(project, scenarios={**project.scenarios, **scripts})
    with Lab(Site.of(config)) as lab:
        yield lab


def measured(
    lab: Lab,
    scenario: str,
    writer: Environment = NEWEST,
    reader: Environment = NEWEST,
    loader: str = "accelerate",
) -> CellRecord:
    return lab.measured(Cell(writer, reader, scenario, loader))


def first(record: CellRecord) -> tuple[int, str]:
    assert record.resume is not None
    assert record.resume.first_difference is not None
    return record.resume.first_difference.step, record.resume.first_difference.quantity


def test_a_save_amid_a_shuffled_epoch_is_exact_nowhere(lab: Lab) -> None:
    for reader in (NEWEST, OLDER_TORCH):
        record = measured(lab, "mid-epoch-skipping", reader=reader, loader="ckptmatrix")
        assert (record.status, first(record)) == (Status.DEGRADED, (1, "samples"))
        assert not {"lost", "wrong"} & set(record.components.values())


def test_gradients_that_no_component_captures_are_missed_under_another_torch_too(lab: Lab) -> None:
    for reader in (NEWEST, OLDER_TORCH):
        record = measured(lab, "gradients", reader=reader, loader="ckptmatrix")
        assert record.status == Status.DEGRADED
        step, quantity = first(record)
        assert (step, quantity) == (3, "loss")


def test_a_sampler_that_the_reader_has_not_is_no_reason_to_pass(lab: Lab) -> None:
    for ends in ((ALWAYS_SEEDABLE, NEWEST), (NEWEST, ALWAYS_SEEDABLE)):
        record = measured(lab, "basic", *ends)
        assert record.status == Status.DEGRADED
        assert record.resume is not None
        assert not record.resume.exact
    assert first(measured(lab, "basic", ALWAYS_SEEDABLE, NEWEST)) == (1, "samples")


def test_what_is_the_same_before_and_after_is_not_told_apart(lab: Lab) -> None:
    record = measured(lab, "epoch-end")
    assert record.components["step"] == Verdict.NOT_TOLD_APART
    assert record.components["model"] == Verdict.RESTORED
    assert record.status == Status.EXACT


def test_hooks_may_draw_while_they_save(lab: Lab) -> None:
    record = measured(lab, "drawing-hooks")
    assert record.status == Status.EXACT
    assert record.components["rng.torch"] == Verdict.RESTORED


def test_what_is_drawn_after_the_random_states_were_saved_is_missed(lab: Lab) -> None:
    record = measured(lab, "drawing-late")
    assert record.components["rng.torch"] == Verdict.UNSAVED
    assert record.status == Status.DEGRADED


def test_more_may_be_recorded_and_fewer_steps_returned(lab: Lab) -> None:
    assert measured(lab, "more-recorded").status == Status.EXACT
    assert measured(lab, "part-of-steps").status == Status.EXACT


def test_the_first_difference_is_what_differs_first_also_among_more_quantities(lab: Lab) -> None:
    record = measured(lab, "forgetful")
    assert record.resume is not None
    found = record.resume.first_difference
    assert found is not None
    assert (found.step, found.quantity, record.resume.steps) == (1, "lr", 12)
    assert "None" not in (found.expected, found.found)


@pytest.mark.parametrize("scenario", ["epoch-end", "drawing-hooks", "part-of-steps"])
def test_controls_of_sound_scripts_pass(lab: Lab, scenario: str) -> None:
    failed = [one for one in controls_of(Cell(NEWEST, NEWEST, scenario), lab) if not one.passed]
    assert failed == []


def test_a_control_that_fails_says_step_and_quantity(lab: Lab) -> None:
    cell = Cell(NEWEST, NEWEST, "mid-epoch-skipping")
    (failed,) = [one for one in controls_of(cell, lab) if not one.passed]
    assert failed.name == "reference is the uninterrupted run"
    assert "step 1" in failed.detail
    assert "samples" in failed.detail


def test_a_value_that_no_script_reads_fails_no_control(lab: Lab) -> None:
    for scenario, named in (("state-file", True), ("undeclared-file", True)):
        controls = controls_of(Cell(NEWEST, NEWEST, scenario), lab)
        assert [one for one in controls if not one.passed] == []
        assert any(one.name == "altered hook_files" for one in controls) == named


def test_a_generator_trains_in_two_processes_that_share_a_folder(lab: Lab) -> None:
    written = lab.registry.written(NEWEST, "two-processes")
    assert written.record.status == CheckpointStatus.WRITTEN, written.record.reason
    assert {"random_states_0.pkl", "random_states_1.pkl"} <= set(written.record.files)
    record = measured(lab, "two-processes")
    assert record.status == Status.EXACT
    assert record.components["rng.torch"] == record.components["rng.torch@1"] == Verdict.RESTORED
    cell = Cell(NEWEST, NEWEST, "two-processes")
    assert [one for one in controls_of(cell, lab) if not one.passed] == []
