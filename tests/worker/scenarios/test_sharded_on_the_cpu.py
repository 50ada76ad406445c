"""Fully sharded training where there is no GPU: it cannot be had, which no failure says."""

import pytest

from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import CheckpointStatus, Environment

pytestmark = pytest.mark.environments

OLD_TORCH = Environment("1.15.0", "torch2.4-np1")


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        ("fsdp-2", "asked for FSDP1 on cpu, accelerate made DistributedDataParallel of it"),
        ("fsdp-2-v2", "accelerate's FSDP2 needs torch 2.6 or newer"),
    ],
)
def test_it_is_unsupported_on_an_old_torch(lab: Lab, scenario: str, reason: str) -> None:
    record = lab.registry.written(OLD_TORCH, scenario).record
    assert (record.status, record.reason) == (CheckpointStatus.UNSUPPORTED, reason)
