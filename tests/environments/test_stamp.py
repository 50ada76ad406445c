"""What an environment is on each device: one folder, and no device answers for another."""

from pathlib import Path

import pytest

from ckptmatrix.environments.installation import as_stamped
from ckptmatrix.environments.stamp import Stamp, Trial, read_stamp, write_stamp
from ckptmatrix.model import Device, Environment, EnvironmentRecord, EnvironmentStatus

ENVIRONMENT = Environment("1.15.0", "torch2.4-np1")
RECORD = EnvironmentRecord(
    "1.15.0",
    "torch2.4-np1",
    EnvironmentStatus.READY,
    "3.11.7",
    "2.4.1+cu121",
    packages=("accelerate==1.15.0", "torch==2.4.1"),
)
FINE, OLD = Trial("Some GPU"), Trial("Some GPU", "the driver is for CUDA 11.4", "driver too old")
STAMP = Stamp(RECORD).with_trial(Device.CPU, Trial())


def test_on_a_device_where_it_was_not_tried_nothing_is_known() -> None:
    assert STAMP.on(Device.CPU) == RECORD
    assert STAMP.on(Device.CUDA) is None
    assert as_stamped(ENVIRONMENT, Path("x"), STAMP, Device.CUDA) is None


@pytest.mark.parametrize(("bad", "good"), [(Device.CPU, Device.CUDA), (Device.CUDA, Device.CPU)])
def test_what_fails_on_one_device_says_nothing_of_the_other(bad: Device, good: Device) -> None:
    stamp = Stamp(RECORD).with_trial(good, Trial()).with_trial(bad, OLD)
    assert stamp.on(good) == RECORD
    found = stamp.on(bad)
    assert found is not None
    assert (found.status, found.reason, found.gpu) == ("unavailable", OLD.reason, OLD.gpu)
    assert found.packages == RECORD.packages
    assert stamp.with_trial(bad, FINE).on(bad) == RECORD


def test_the_gpus_name_is_that_of_the_trial() -> None:
    stamp = STAMP.with_trial(Device.CUDA, FINE)
    names = {
        device: found.device_name
        for device in Device
        if (found := as_stamped(ENVIRONMENT, Path("x"), stamp, device))
    }
    assert names == {Device.CPU: "", Device.CUDA: "Some GPU"}


def test_a_stamp_is_read_back_while_the_packages_are_what_it_says(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("accelerate-1.15.0", "torch-2.4.1"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    stamp = STAMP.with_trial(Device.CUDA, OLD)
    assert read_stamp(tmp_path) is None
    write_stamp(tmp_path, stamp)
    assert read_stamp(tmp_path) == stamp
    (packages / "cuda_standin.pth").touch()  # no package
    assert read_stamp(tmp_path) == stamp
    (packages / "numpy-1.26.4.dist-info").mkdir()
    assert read_stamp(tmp_path) is None
