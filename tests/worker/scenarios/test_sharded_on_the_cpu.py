"""Fully sharded training where there is no GPU: the real thing, its gate lifted, and said so."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ckptmatrix.environments.site import Site
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CheckpointStatus, Environment, Status, summary
from ckptmatrix.plan.config import read_config
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

OLD_TORCH = Environment("1.15.0", "torch2.4-np1")
NOTE = "on the CPU, FSDP's gate lifted"


@pytest.fixture(scope="module")
def own_lab() -> Iterator[Lab]:
    declared = read_config(ROOT / "matrix.toml")
    scenarios = {**declared.scenarios, "not-lifted": "tests.worker.sharded:NotLifted"}
    with Lab(Site.of(replace(declared, scenarios=scenarios))) as lab:
        yield lab


@pytest.mark.parametrize("scenario", ["fsdp-2", "fsdp-2-sharded", "fsdp-2-v2", "fsdp-2-v2-sharded"])
def test_it_is_written_and_how_is_said(scenario: str, own_lab: Lab) -> None:
    record = own_lab.registry.written(NEWEST, scenario).record
    assert (record.status, record.note) == (CheckpointStatus.WRITTEN, NOTE)


def test_what_is_not_sharded_is_found(own_lab: Lab) -> None:
    record = own_lab.registry.written(NEWEST, "not-lifted").record
    assert record.status == CheckpointStatus.FAILED
    assert "asked for FSDP1 on cpu, accelerate made DistributedDataParallel of it" in record.reason


def test_fsdp2_is_unsupported_on_an_old_torch(own_lab: Lab) -> None:
    record = own_lab.registry.written(OLD_TORCH, "fsdp-2-v2").record
    reason = "accelerate's FSDP2 needs torch 2.6 or newer"
    assert (record.status, record.reason) == (CheckpointStatus.UNSUPPORTED, reason)


LOST = Environment("1.8.1", "torch2.15-np2")
"""Reads shards of both kinds of optimizers into nothing, and waits for ever for gathered FSDP2."""


@pytest.mark.parametrize(
    ("scenario", "reader", "told"),
    [
        ("fsdp-2-sharded", NEWEST, "wrong optimizer, optimizer@1; training differs in loss"),
        ("fsdp-2-sharded", LOST, "wrong optimizer, optimizer@1; training differs in loss"),
        ("fsdp-2-v2-sharded", LOST, "wrong optimizer, optimizer@1; training differs in loss"),
        ("fsdp-2-v2", LOST, "timeout: no answer within 20 seconds"),
        ("fsdp-2-v2-fp16-scaler", NEWEST, "wrong scaler, scaler@1"),
        ("fsdp-2-to-v2", NEWEST, "training differs in loss"),
        ("fsdp-2-sharded-to-1", NEWEST, "wrong optimizer; training differs in loss"),
    ],
)
def test_what_accelerate_loses_resume_restores(
    scenario: str, reader: Environment, told: str, own_lab: Lab
) -> None:
    assert summary(own_lab.outcome(Cell(NEWEST, reader, scenario))) == told
    assert own_lab.outcome(Cell(NEWEST, reader, scenario, "ckptmatrix")).status == Status.EXACT


@pytest.mark.parametrize(
    "scenario",
    [
        "fsdp-2",
        "fsdp-2-v2",
        "fsdp-2-v2-sharded",
        "fsdp-2-to-1",
        "fsdp-2-v2-to-1",
        "fsdp-2-v2-sharded-to-1",
        "fsdp-2-sharded-to-v2",
        "fsdp-2-v2-to-v1",
        "fsdp-2-bf16",
        "fsdp-2-v2-sharded-bf16",
    ],
)
def test_what_accelerate_restores_resume_restores(scenario: str, own_lab: Lab) -> None:
    for loader in ("accelerate", "ckptmatrix"):
        assert own_lab.outcome(Cell(NEWEST, NEWEST, scenario, loader)).status == Status.EXACT


def test_a_list_for_a_tuple_is_no_loss(own_lab: Lab) -> None:
    """Gathered FSDP2 optimizers come back with `betas` as a list, and train on exactly."""
    assert own_lab.measured(Cell(NEWEST, NEWEST, "fsdp-2-v2")).status == Status.EXACT
