"""What becomes of sharded trainings, in the committed runs of their tiers."""

from functools import cache

import pytest

from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.model import CellRecord, ControlsResult, Matrix, Status
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import ROOT

TIERS = ("sharded", "resharded", "deepspeed", "eight-bit")
OLD, NEW = "torch2.4-np1", "torch2.15-np2"
LOST_OPTIMIZER = (Status.DEGRADED, CauseId.OPTIMIZER_SHARDS_UNREAD)
EXACT = (Status.EXACT, None)


@cache
def run_of(tier: str) -> Matrix:
    return read_matrix(ROOT / "reports" / tier)


def load(
    tier: str, scenario: str, writer: str, reader: str, loader: str = "accelerate"
) -> CellRecord:
    """A load of a checkpoint as it was saved; writer and reader as `1.15.0+torch2.15-np2`."""
    ends = (f"accelerate-{writer}", f"accelerate-{reader}", scenario, loader, "as-saved")
    [found] = (
        cell
        for cell in run_of(tier).cells
        if (cell.writer, cell.reader, cell.scenario, cell.loader, cell.treatment) == ends
    )
    return found


def alone(tier: str, scenario: str, release: str, stack: str) -> tuple[Status, str | None]:
    """Status and cause of a release's own checkpoint, loaded by the same."""
    found = load(tier, scenario, *[f"{release}+{stack}"] * 2)
    return found.status, found.cause


@pytest.mark.parametrize("tier", TIERS)
def test_it_was_judged_by_controls_that_passed_and_every_loss_has_a_cause(tier: str) -> None:
    matrix = run_of(tier)
    assert matrix.run.controls is ControlsResult.PASSED
    assert matrix.problems == ()
    bad = [c for c in matrix.cells if c.status in {Status.DEGRADED, Status.FAILED, Status.TIMEOUT}]
    assert bad
    assert [c for c in bad if c.cause is None or not c.expected] == []


@pytest.mark.parametrize("scenario", ["fsdp-2", "fsdp-2-v2", "fsdp-2-v2-sharded"])
def test_the_newest_release_restores_fsdp_but_for_shards_of_fsdp1(scenario: str) -> None:
    assert alone("sharded", scenario, "1.15.0", NEW) == EXACT
    assert alone("sharded", "fsdp-2-sharded", "1.15.0", NEW) == LOST_OPTIMIZER


@pytest.mark.parametrize("release", ["1.7.0", "1.8.1", "1.12.0", "1.13.0", "1.15.0"])
@pytest.mark.parametrize("stack", [OLD, NEW])
def test_since_1_7_the_optimizer_of_fsdp1s_shards_is_lost(release: str, stack: str) -> None:
    assert alone("sharded", "fsdp-2-sharded", release, stack) == LOST_OPTIMIZER
    end = f"{release}+{stack}"
    assert load("sharded", "fsdp-2-sharded", end, end, "ckptmatrix").status is Status.EXACT


@pytest.mark.parametrize("release", ["0.33.0", "1.0.1", "1.4.0", "1.6.0"])
def test_before_1_7_it_comes_back(release: str) -> None:
    assert alone("sharded", "fsdp-2-sharded", release, OLD) == EXACT


@pytest.mark.parametrize(
    ("release", "gathered", "shards"),
    [
        ("1.7.0", (Status.TIMEOUT, CauseId.FSDP_WAITS), LOST_OPTIMIZER),
        ("1.8.1", (Status.TIMEOUT, CauseId.FSDP_WAITS), LOST_OPTIMIZER),
        ("1.12.0", EXACT, LOST_OPTIMIZER),
        ("1.13.0", EXACT, EXACT),
    ],
)
def test_how_fsdp2_came_to_be_restored(release: str, gathered: object, shards: object) -> None:
    assert alone("sharded", "fsdp-2-v2", release, NEW) == gathered
    assert alone("sharded", "fsdp-2-v2-sharded", release, NEW) == shards


def test_1_0_1_loses_the_random_states_of_fsdp_under_newer_torch() -> None:
    assert alone("sharded", "fsdp-2", "1.0.1", NEW) == (Status.DEGRADED, CauseId.NUMPY_REFUSED)
    assert alone("sharded", "fsdp-2", "1.0.1", OLD) == EXACT


def test_shards_go_to_newer_torch_by_resume_and_back_by_nothing() -> None:
    old, new = f"1.15.0+{OLD}", f"1.15.0+{NEW}"
    there = load("sharded", "fsdp-2-sharded", old, new)
    assert (there.status, there.cause) == (Status.FAILED, CauseId.OPTIMIZER_KEYS_MISSING)
    assert load("sharded", "fsdp-2-sharded", old, new, "ckptmatrix").status is Status.EXACT
    for loader in ("accelerate", "ckptmatrix"):
        back = load("sharded", "fsdp-2-sharded", new, old, loader)
        assert (back.status, back.cause) == (Status.FAILED, CauseId.SHARDS_NEWER_TORCH)


@pytest.mark.parametrize("scenario", ["adam-8bit", "paged-adamw-8bit"])
@pytest.mark.parametrize("stack", ["torch2.4-np1-8bit", "torch2.15-np2-8bit"])
def test_bitsandbytes_is_restored(scenario: str, stack: str) -> None:
    assert alone("eight-bit", scenario, "1.15.0", stack) == EXACT


def test_torchao_is_restored_under_newer_torch_alone() -> None:
    statuses = [
        alone("eight-bit", "adamw-8bit-torchao", "1.15.0", stack)[0]
        for stack in ("torch2.4-np1-8bit", "torch2.15-np2-8bit")
    ]
    assert statuses == [Status.FAILED, Status.EXACT]


OLD_ENGINE, NEW_ENGINE = "torch2.4-np1-ds0.15", "torch2.15-np2-ds0.19"


@pytest.mark.parametrize("stage", ["zero-1", "zero-2", "zero-3"])
@pytest.mark.parametrize("release", ["1.8.1", "1.15.0"])
@pytest.mark.parametrize("stack", [OLD_ENGINE, NEW_ENGINE])
def test_deepspeed_is_restored(stage: str, release: str, stack: str) -> None:
    assert alone("deepspeed", stage, release, stack) == EXACT


@pytest.mark.parametrize("stage", ["1", "2"])
@pytest.mark.parametrize("stack", [OLD_ENGINE, NEW_ENGINE])
def test_deepspeed_takes_another_number_of_processes_in_its_universal_form(
    stage: str, stack: str
) -> None:
    refused = (Status.FAILED, CauseId.ENGINE_PROCESSES)
    assert alone("deepspeed", f"zero-{stage}-to-4", "1.15.0", stack) == refused
    assert alone("deepspeed", f"zero-{stage}-to-1", "1.15.0", stack) == refused
    assert alone("deepspeed", "zero-2-universal-to-1", "1.15.0", stack) == EXACT


@pytest.mark.parametrize("stack", [OLD_ENGINE, NEW_ENGINE])
def test_the_universal_form_loses_buffers(stack: str) -> None:
    lost = (Status.DEGRADED, CauseId.UNIVERSAL_BUFFERS)
    assert alone("deepspeed", "zero-2-universal-buffer-to-1", "1.15.0", stack) == lost


@pytest.mark.parametrize("scenario", ["zero-1", "zero-2", "zero-2-universal-to-1"])
def test_a_schedule_that_deepspeed_kept_is_not_found_by_newer_releases(scenario: str) -> None:
    old, new = f"0.24.1+{OLD_ENGINE}", f"1.15.0+{OLD_ENGINE}"
    found = load("deepspeed", scenario, old, new)
    assert (found.status, found.cause) == (Status.FAILED, CauseId.ENGINE_SCHEDULE)
