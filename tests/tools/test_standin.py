"""With a GPU that computes nothing: what an environment makes of it, and that it takes no harm.

`nox -s standin` runs the whole command line with it.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ckptmatrix.environments import building
from ckptmatrix.environments.building import find_installation
from ckptmatrix.environments.device import find_gpus
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.stamp import read_stamp, write_stamp
from ckptmatrix.environments.worker_process import WorkerError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CheckpointStatus, Environment, Gpus, Verdict
from ckptmatrix.plan.config import Config
from ckptmatrix.util.home import Home
from tests.support.places import ROOT
from tests.support.stand_in_driver import needs_gcc

pytestmark = [pytest.mark.environments, needs_gcc]

CUDA_12 = Environment("1.15.0", "torch2.4-np1+cuda")
"""Its torch is a CUDA 12 build on every index."""
ON_CPU = Environment("1.15.0", "torch2.4-np1")
CPU_WHEEL = Environment("1.15.0", "torch2.13-np1+cuda")
CPU_WHEEL_ON_CPU = Environment("1.15.0", "torch2.13-np1")


@pytest.fixture(scope="module")
def home(project: Config, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with a copy of two environments by links, one of which loads the stand-in.

    The stand-in adds files to it, and replaces none.
    """
    home = Home(tmp_path_factory.mktemp("home"))
    for environment in (ON_CPU, CPU_WHEEL_ON_CPU):
        shared = building.build(environment, Site.of(project))
        assert shared.ready, shared.record.reason
        copy = home.environments / shared.directory.name
        shutil.copytree(shared.directory, copy, copy_function=os.link, symlinks=True)
    [copy] = home.environments.glob(f"{ON_CPU.id}-*")
    command = [sys.executable, "tools/standin/build.py", str(copy), str(home.root / "gpu")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "is no CUDA 12 build" in built.stderr:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    return home


@pytest.fixture
def site(project: Config, home: Home, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Its GPU, on which nothing was tried yet."""
    for name in [name for name in os.environ if name.startswith("CUDA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(home.root / "gpu" / "lib"))
    for directory in home.environments.glob("accelerate-*/"):
        stamp = read_stamp(directory)
        assert stamp is not None
        write_stamp(directory, replace(stamp, trials={"cpu": stamp.trials["cpu"]}))
    gpus = find_gpus()
    assert isinstance(gpus, Gpus), gpus
    return Site(project, home, gpus)


def on_cpu(site: Site, environment: Environment = ON_CPU) -> Installation | None:
    return find_installation(environment, site)


def when_made(installed: Installation) -> int:
    return (installed.directory / "bin").stat().st_ctime_ns


def test_nothing_is_installed_again_for_the_gpu(site: Site) -> None:
    before = on_cpu(site)
    assert before is not None
    made = when_made(before)
    assert find_installation(CUDA_12, site) is None
    built = building.build(CUDA_12, site)
    assert (built.ready, built.device_name) == (True, "CUDA stand-in")
    assert when_made(built) == made
    assert on_cpu(site) == before
    assert built.frozen == before.frozen
    assert find_installation(CUDA_12, site) == built


@pytest.mark.parametrize(
    ("variable", "value", "kind", "told"),
    [
        (
            "CUDA_STAND_IN_DRIVER",
            "11040",
            "driver too old",
            "the driver is for CUDA 11.4, torch 2.4.1+cu121 is built for CUDA 12.1",
        ),
        (
            "CUDA_STAND_IN_CAPABILITY",
            "35",
            "no kernels for this card",
            "torch 2.4.1+cu121 has no kernels for CUDA stand-in (sm_35), only for sm_50",
        ),
        # A GPU that does not call itself a stand-in must compute.
        ("CUDA_STAND_IN_NAME", "H100", "computes wrongly", "H100 computed [0, 0, 0, 0], not [1"),
        ("CUDA_STAND_IN_INIT", "999", "other", "RuntimeError: "),
        ("LD_LIBRARY_PATH", "", "no driver", "torch finds no driver"),
    ],
)
def test_what_keeps_torch_from_the_gpu_is_said_and_not_held_against_the_cpu(
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    kind: str,
    told: str,
) -> None:
    before = on_cpu(site)
    assert before is not None
    made = when_made(before)
    with monkeypatch.context() as changed:
        changed.setenv(variable, value)
        built = building.build(CUDA_12, site)
    assert not built.ready
    assert built.record.gpu == kind
    assert built.record.reason.startswith(told)
    assert on_cpu(site) == before
    again = building.build(CUDA_12, site, retry=True)
    assert again.ready
    assert when_made(again) == made


def test_a_wheel_for_the_cpu_alone_says_so(site: Site) -> None:
    built = building.build(CPU_WHEEL, site)
    if "+cpu" not in built.record.torch:
        pytest.skip(f"here it is {built.record.torch}")
    assert built.record.gpu == "torch is not built for it"
    assert "is built without CUDA, for the CPU alone" in built.record.reason
    there = on_cpu(site, CPU_WHEEL_ON_CPU)
    assert there is not None
    assert there.ready


def test_what_does_not_start_with_a_gpu_in_sight_is_not_held_against_the_cpu(site: Site) -> None:
    before = on_cpu(site)
    assert before is not None
    python = before.python
    kept = python.with_name("kept")
    python.rename(kept)
    try:
        python.write_text("#!/bin/sh\necho no such luck >&2; exit 9\n")
        python.chmod(0o755)
        built = building.build(CUDA_12, site)
    finally:
        kept.replace(python)
    assert built.record.reason == "it was installed but does not start: no such luck"
    assert built.record.gpu == ""
    assert on_cpu(site) == before
    assert building.build(CUDA_12, site, retry=True).ready


def test_a_gpu_that_is_lost_after_the_environment_was_tried_stops_its_workers(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = building.build(CUDA_12, site)
    monkeypatch.setenv("CUDA_STAND_IN_DRIVER", "11040")
    with pytest.raises(WorkerError, match=r"cannot use the GPU any more: the driver is for CUDA"):
        built.start(site)


@pytest.mark.parametrize("scenario", ["kohya-lora", "gpu-written"])
def test_many_loads_on_the_gpu_are_made_by_one_worker_and_none_is_refused(
    site: Site, scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the monitor, as in some containers: there a mere count of the GPUs wakes CUDA."""
    shutil.copy(site.home.root / "gpu" / "lib" / "libcuda.so.1", tmp_path)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    cell = Cell(CUDA_12, CUDA_12, scenario)
    with Lab(site) as lab:
        pid = lab.registry.worker(CUDA_12).pid
        records = [lab.measured(cell) for _ in range(3)]
        assert lab.registry.worker(CUDA_12).pid == pid
    for record in records:
        assert record.error is None, record.error
        assert record.components["rng.cuda"] == record.components["model"] == Verdict.RESTORED
    for log in site.home.logs.iterdir():
        assert "refused" not in log.read_text()


def test_what_is_made_up_on_the_cpu_is_not_on_the_gpu(site: Site) -> None:
    with Lab(site) as lab:
        written = lab.registry.written(CUDA_12, "gpu-written").record
        old = lab.registry.written(CUDA_12, "gpu-written-816").record
        views = lab.registry.written(CUDA_12, "shared-views").record
    assert written.status == CheckpointStatus.WRITTEN
    assert "rng.cuda" not in written.unsaved  # what lies in the file is what the GPU had
    assert old.status == CheckpointStatus.UNSUPPORTED
    assert old.reason == "this torch saves 16 bytes for each GPU, it is about 816"
    # What the script verifies holds; no kernel fills the transposed weight, which is then missed.
    assert "model does not hold what was put in: ['/0/mixing']" in views.reason


def test_a_fork_after_the_gpu_was_woken_is_refused(home: Home, site: Site) -> None:
    """What the project's workers must avoid: by it the stand-in is known to notice."""
    code = """
import os, torch
torch.zeros(1, requires_grad=True).sum().backward()
if not os.fork():
    try:
        torch.zeros(1, device="cuda")
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""
    [python] = home.environments.glob(f"{ON_CPU.id}-*/bin/python")
    ended = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert "CUDA stand-in: refused process" in ended.stderr
    assert "CUDA driver initialization failed" in ended.stdout
