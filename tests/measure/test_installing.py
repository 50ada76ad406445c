"""A run without any environment is refused, with the reason that there is."""

from pathlib import Path

import pytest

from ckptmatrix.environments.installation import Installation
from ckptmatrix.errors import NothingRanError
from ckptmatrix.measure.installing import refuse_none
from ckptmatrix.model import Environment, EnvironmentRecord, EnvironmentStatus

ONE, OTHER = Environment("1.0.1", "torch2.4-np1"), Environment("1.15.0", "torch2.4-np1")


def record(environment: Environment, reason: str, gpu: str = "") -> EnvironmentRecord:
    status = EnvironmentStatus.UNAVAILABLE if reason else EnvironmentStatus.READY
    release, stack = environment.accelerate, environment.stack
    return EnvironmentRecord(release, stack, status, reason=reason, gpu=gpu)


def refused(first: EnvironmentRecord, second: EnvironmentRecord) -> None:
    records = {ONE: first, OTHER: second}
    refuse_none({one: Installation(one, found, Path("x")) for one, found in records.items()})


def test_one_that_can_be_used_is_enough() -> None:
    refused(record(ONE, "no such release"), record(OTHER, ""))


def test_what_could_not_be_installed_is_no_fault_of_the_gpu() -> None:
    with pytest.raises(NothingRanError) as raised:
        refused(record(ONE, "no such release"), record(OTHER, "no such release"))
    assert raised.value.message == "no environment could be built: no such release"
    assert "name a release" in raised.value.remedy


def test_a_gpu_that_none_can_use_is_named_with_its_own_remedy() -> None:
    reason = "the driver is for CUDA 11.4"
    with pytest.raises(NothingRanError) as raised:
        refused(record(ONE, reason, "driver too old"), record(OTHER, reason, "driver too old"))
    assert raised.value.message == "no environment can use the GPU: the driver is for CUDA 11.4"
    assert "--device cpu" in raised.value.remedy
