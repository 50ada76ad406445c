"""What an environment is on each device: one folder, and no device answers for another."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.environments.installation import as_stamped
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.stamp import Stamp, Trial, read_stamp, write_stamp
from ckptmatrix.model import Device, Environment, EnvironmentRecord, EnvironmentStatus, Gpus
from ckptmatrix.plan.config import read_config
from ckptmatrix.util.home import Home
from tests.support.places import ROOT

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
STAMP = Stamp(RECORD).with_trial("cpu", Trial())
GPUS = Gpus("Some GPU", 1, "8.0", "550 CUDA 12.4")
CONFIG = read_config(ROOT / "matrix.toml")
SITE = Site(CONFIG, Home(Path("x")), GPUS)
ON_GPU = Environment("1.15.0", "torch2.4-np1+cuda")
CUDA = SITE.hardware(ON_GPU)


def test_on_a_device_where_it_was_not_tried_nothing_is_known() -> None:
    assert STAMP.on("cpu") == RECORD
    assert STAMP.on(CUDA) is None
    assert as_stamped(ON_GPU, Path("x"), STAMP, SITE) is None


@pytest.mark.parametrize(
    "other",
    [
        replace(GPUS, name="Another"),
        replace(GPUS, count=2),
        replace(GPUS, capability="9.0"),
        replace(GPUS, driver="555 CUDA 12.5"),
    ],
)
def test_what_came_of_it_on_some_gpus_says_nothing_of_others(other: Gpus) -> None:
    stamp = STAMP.with_trial(CUDA, FINE)
    here = as_stamped(ON_GPU, Path("x"), stamp, replace(SITE, gpus=replace(GPUS, free=(1,))))
    assert here is not None
    assert here.hardware == CUDA
    assert as_stamped(ON_GPU, Path("x"), stamp, replace(SITE, gpus=other)) is None


@pytest.mark.parametrize(("bad", "good"), [("cpu", CUDA), (CUDA, "cpu")])
def test_what_fails_on_one_device_says_nothing_of_the_other(bad: str, good: str) -> None:
    stamp = Stamp(RECORD).with_trial(good, Trial()).with_trial(bad, OLD)
    assert stamp.on(good) == RECORD
    found = stamp.on(bad)
    assert found is not None
    assert (found.status, found.reason, found.gpu) == ("unavailable", OLD.reason, OLD.gpu)
    assert found.packages == RECORD.packages
    assert stamp.with_trial(bad, FINE).on(bad) == RECORD


def test_the_gpus_name_is_that_of_the_trial() -> None:
    stamp = STAMP.with_trial(CUDA, FINE)
    on_cpu, on_gpu = (as_stamped(e, Path("x"), stamp, SITE) for e in (ENVIRONMENT, ON_GPU))
    assert on_cpu is not None
    assert on_gpu is not None
    assert (on_cpu.device_name, on_gpu.device_name) == ("", "Some GPU")
    assert on_cpu.record == RECORD
    assert on_gpu.record == replace(RECORD, stack=ON_GPU.stack, device=Device.CUDA)


def test_a_stamp_is_read_back_while_the_packages_are_what_it_says(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("accelerate-1.15.0", "torch-2.4.1"):
        (packages / f"{name}.dist-info").mkdir(parents=True)
    stamp = STAMP.with_trial(CUDA, OLD)
    assert read_stamp(tmp_path) is None
    write_stamp(tmp_path, stamp)
    assert read_stamp(tmp_path) == stamp
    (packages / "cuda_standin.pth").touch()  # no package
    assert read_stamp(tmp_path) == stamp
    (packages / "numpy-1.26.4.dist-info").mkdir()
    assert read_stamp(tmp_path) is None
