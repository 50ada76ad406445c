"""Where the borders of torch, numpy and safetensors lie, in the committed run of tier `torch`."""

from itertools import product

import pytest

from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.model import CellRecord, ControlsResult, Status
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import ROOT

MATRIX = read_matrix(ROOT / "reports" / "torch")
WRITER = "torch2.4-np1"
READERS = ("0.24.1", "0.33.0", "1.0.1", "1.1.1", "1.15.0")
BEFORE = ("torch2.0-np1", WRITER, "torch2.5-np1")
SINCE = ("torch2.6-np1", "torch2.13-np1", "torch2.15-np1")
TRAININGS = ("basic", "kohya-lora", "diffusers-ema")


def load(scenario: str, release: str, stack: str) -> CellRecord:
    """A release's own checkpoint from torch 2.4 and numpy 1, loaded by the same on a stack."""
    ends = (f"accelerate-{release}+{WRITER}", f"accelerate-{release}+{stack}", scenario)
    [cell] = (c for c in MATRIX.cells if (c.writer, c.reader, c.scenario) == ends)
    return cell


def test_it_was_judged_by_controls_that_passed_and_every_loss_has_a_cause() -> None:
    assert MATRIX.run.controls is ControlsResult.PASSED
    bad = [c for c in MATRIX.cells if c.status in {Status.DEGRADED, Status.FAILED}]
    assert len(bad) > 1000
    assert [c for c in bad if c.cause is None] == []


@pytest.mark.parametrize(("scenario", "release"), list(product(TRAININGS, READERS)))
def test_the_border_is_torch_2_6(scenario: str, release: str) -> None:
    old = {load(scenario, release, stack).status for stack in BEFORE}
    new = {(c.status, c.cause) for c in (load(scenario, release, stack) for stack in SINCE)}
    assert old == {Status.EXACT}
    assert new == {
        "0.33.0": {(Status.FAILED, CauseId.REFUSED_STEP)},
        "1.1.1": {(Status.EXACT, None)},
        "1.15.0": {(Status.EXACT, None)},
    }.get(release, {(Status.DEGRADED, CauseId.NUMPY_REFUSED)})


@pytest.mark.parametrize(("scenario", "release"), list(product(TRAININGS, READERS)))
def test_numpy_1_24_loses_what_accelerate_1_1_asks_to_allow(scenario: str, release: str) -> None:
    found = load(scenario, release, "torch2.4-np1.24")
    lost = release in {"1.1.1", "1.15.0"}
    assert (found.status, found.cause) == (
        (Status.DEGRADED, CauseId.NUMPY_TOO_OLD) if lost else (Status.EXACT, None)
    )


@pytest.mark.parametrize("scenario", ["basic", "kohya-lora"])
def test_safetensors_0_4_2_takes_no_device(scenario: str) -> None:
    found = load(scenario, "0.33.0", "torch2.4-np1-st0.4")
    assert (found.status, found.cause) == (Status.FAILED, CauseId.SAFETENSORS_DEVICE)
    assert load(scenario, "0.24.1", "torch2.4-np1-st0.4").status is Status.EXACT
