"""Whether there is a GPU: the driver is asked, in time, and what it answers is said."""

import time
from pathlib import Path

import pytest

from ckptmatrix.environments.device import Machine, find_gpus, find_machine
from ckptmatrix.errors import UsageError
from ckptmatrix.model import Device, Gpus
from tests.support.stand_in_driver import compiled, needs_gcc

AMD = """
int hipInit(unsigned flags) { return 0; }
int hipGetDeviceCount(int *count) { *count = 2; return 0; }
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that drivers are found in; no variable hides a GPU."""
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@needs_gcc
@pytest.mark.parametrize("visible", [None, "0", "0,1"])
def test_a_driver_that_shows_a_gpu_is_enough(
    machine: Path, monkeypatch: pytest.MonkeyPatch, visible: str | None
) -> None:
    """No tool of the driver's is asked: a container need not have it."""
    compiled(machine)
    monkeypatch.setenv("PATH", "")
    if visible is not None:
        monkeypatch.setenv("CUDA_STAND_IN_DEVICES", "2")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = find_gpus()
    assert isinstance(gpus, Gpus)
    assert gpus.count == (2 if visible == "0,1" else 1)
    assert (gpus.name, gpus.capability) == ("CUDA stand-in", "8.0")
    assert gpus.driver.endswith("CUDA 12.4")
    assert find_machine("auto") == find_machine("both")
    assert find_machine("both") == Machine((Device.CPU, Device.CUDA), gpus)
    assert find_machine("cuda") == Machine((Device.CUDA,), gpus)
    assert find_machine("cpu") == Machine((Device.CPU,))


@needs_gcc
def test_what_is_free_on_each_gpu_is_asked(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(machine)
    monkeypatch.setenv("CUDA_STAND_IN_DEVICES", "2")
    monkeypatch.setenv("CUDA_STAND_IN_FREE", str(3 * 2**30))
    gpus = find_gpus()
    assert isinstance(gpus, Gpus)
    assert gpus.free == (3 * 2**30, 3 * 2**30)
    monkeypatch.setenv("CUDA_STAND_IN_DRIVER", "12080")
    other = find_gpus()
    assert isinstance(other, Gpus)
    assert other.identity != gpus.identity


@needs_gcc
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CUDA_VISIBLE_DEVICES", "", "the driver shows no GPU (CUDA_VISIBLE_DEVICES is '')"),
        ("CUDA_VISIBLE_DEVICES", "-1", "the driver shows no GPU (CUDA_VISIBLE_DEVICES is '-1')"),
        ("CUDA_STAND_IN_DEVICES", "0", "the driver shows no GPU"),
        ("CUDA_STAND_IN_INIT", "999", "the driver answers cuInit with error 999 (unknown error)"),
        (
            "CUDA_STAND_IN_INIT",
            "3",
            "the driver answers cuInit with error 3 (initialization error)",
        ),
    ],
)
def test_why_there_is_none_is_said(
    machine: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    compiled(machine)
    monkeypatch.setenv(name, value)
    assert find_gpus() == told
    assert find_machine("auto") == Machine((Device.CPU,))
    for asked in ("cuda", "both"):
        with pytest.raises(UsageError) as refused:
            find_machine(asked)
        assert refused.value.message == f"--device {asked}: {told}"


def test_a_machine_without_a_driver_says_so(machine: Path) -> None:
    try:
        reason = find_gpus()
    finally:
        assert not list(machine.iterdir())
    if isinstance(reason, Gpus):
        pytest.skip("this machine has a GPU")
    assert "libcuda.so.1" in reason or "the driver" in reason


@needs_gcc
def test_a_driver_that_hangs_is_left_behind(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled(machine)
    monkeypatch.setenv("CUDA_STAND_IN_INIT", "hang")
    started = time.monotonic()
    assert find_gpus(seconds=1) == "the driver does not answer within 1 seconds"
    assert time.monotonic() - started < 30


@needs_gcc
def test_a_driver_that_kills_the_process_harms_nobody(machine: Path) -> None:
    source = machine / "dying.c"
    source.write_text("void abort(void); int cuInit(unsigned flags) { abort(); }")
    compiled(machine, source=source)
    assert find_gpus() == "asking the driver ended with status -6"


@needs_gcc
def test_amds_driver_is_asked_where_there_is_no_nvidia(machine: Path) -> None:
    source = machine / "amd.c"
    source.write_text(AMD)
    compiled(machine, "libamdhip64.so", source)
    gpus = find_gpus()
    assert isinstance(gpus, Gpus)
    assert gpus.count == 2
