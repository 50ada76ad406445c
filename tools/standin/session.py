"""`nox -s standin`: the command line from nothing to the report, with a GPU that computes nothing.

Two releases are installed and tried on the CPU, then given the CUDA stand-in and run as where there
is a GPU: a small tier on the cores and, beside it, tier `gpu` narrowed to a few scenarios on the
GPU and between both. What came of it is checked where it hangs on no number: that the run ends,
that no forked child is refused, that what moves between host and device is told apart bit by bit,
and that nobody can take the run for a measurement.

    session.py [--why-not]

With `--why-not` it only says why this machine cannot do it, or nothing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import build
import tomlkit

from ckptmatrix.environments import building
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.stamp import read_stamp, write_stamp
from ckptmatrix.model import BAD, MEASURED, CellRecord, Device, Environment, Matrix, Status
from ckptmatrix.plan.config import read_config
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.util.home import Home

ROOT = Path(__file__).parents[2]
HOME = Home(ROOT / ".ckptmatrix" / "standin")
"""Of its own: its environments load the stand-in."""
REPORT = HOME.root / "report"

STACK = "torch2.4-np1"
"""The stack whose torch is a CUDA 12 build on every index."""
ON_GPU = f"{STACK}+cuda"
RELEASES = ("0.33.0", "1.15.0")
SCENARIOS = ("basic", "kohya-lora", "gpu-written", "fp16-scaler")
"""Of tier `gpu`; `smoke`, which is made to name that tier here, has the first alone."""
TIER = "smoke"

OF_NUMBERS = ("GPU computes", "reference is the uninterrupted run")
"""Controls that hang on what kernels compute; every other one must pass."""
REFUSED = ("CUDA stand-in: refused", "Cannot re-initialize CUDA", "autograd's threading")
"""What is in a worker's log if a child was forked from a process that had woken the GPU."""
_SECONDS = 1800


def main() -> None:
    """Do it, and say what is wrong; exit code 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--why-not", action="store_true")
    only_ask = parser.parse_args().why_not
    site = Site(read_config(ROOT / "matrix.toml"), HOME)
    wanted = [Environment(release, STACK) for release in RELEASES]
    installed = list(building.build_all(wanted, site).values())
    reason = why_not(installed)
    if reason:
        print(f"skipped: {reason}")
    if only_ask or reason:
        return
    _forget(installed)
    made = {one: _made(one) for one in installed}
    variables = {"LD_LIBRARY_PATH": str(_with_stand_in(installed))}
    started = time.monotonic()
    ended, said = _run(variables)
    took = time.monotonic() - started
    again, said_again = _run(variables)
    print(said)
    wrong = [
        f"an environment was installed anew: {one.environment.id}"
        for one in installed
        if _made(one) != made[one]
    ]
    if ended != 3 or again != 3:
        wrong.append(f"it ended with {ended}, then {again}; 3 says that nothing was measured")
    if "report stands" not in said_again:
        wrong.append("a second run did not find everything done")
    if not REPORT.exists():
        raise SystemExit("WRONG: the run made no report")
    matrix = read_matrix(REPORT)
    wrong += [*_of_report(matrix), *_of_cells(matrix), *_of_controls(matrix), *_of_logs()]
    passed = sum(control.passed for control in matrix.controls)
    print(
        f"{len(matrix.cells)} cells measured and {passed} of {len(matrix.controls)} controls "
        f"passed in {took:.0f} s; {len(wrong)} things are not as they must be"
    )
    for one in wrong:
        print(f"WRONG: {one}")
    sys.exit(bool(wrong))


def why_not(installed: Iterable[Installation]) -> str:
    """Why it cannot be done on this machine; empty if it can."""
    for one in installed:
        reason = build.why_not(one.directory) if one.ready else one.record.reason
        if reason:
            return reason
    return ""


def _forget(installed: Iterable[Installation]) -> None:
    """Drop what an earlier session left but the environments, which were never tried on a GPU."""
    for place in HOME.root.iterdir():
        if place.name not in ("environments", "libraries"):
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    for one in installed:
        stamp = read_stamp(one.directory)
        assert stamp is not None, f"{one.directory} was there just now"
        of_cpu = {"cpu": stamp.trials["cpu"]}
        write_stamp(one.directory, replace(stamp, trials=of_cpu))


def _with_stand_in(installed: Iterable[Installation]) -> Path:
    """Give each environment the stand-in; the folder of its driver."""
    out = HOME.root / "libraries"
    for one in installed:
        driver = build.build(one.directory, out)
        build.put_into(one.directory, out)
    return driver


def _made(one: Installation) -> int:
    """When an environment was created."""
    return (one.directory / "pyvenv.cfg").stat().st_mtime_ns


def _run(variables: dict[str, str]) -> tuple[int, str]:
    """Run the real command line; its exit code, and what it said."""
    chosen = ["--tier", TIER, "--accelerate", ",".join(RELEASES), "--stack", STACK, "--no-remedies"]
    command = [sys.executable, "-m", "ckptmatrix", "run", "--config", str(_declared()), *chosen]
    ended = subprocess.run(
        [*command, "--reports", str(REPORT)],
        cwd=ROOT,
        env={**os.environ, **variables, "CKPTMATRIX_HOME": str(HOME.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return ended.returncode, ended.stdout


def _declared() -> Path:
    """The declared matrix, with a small tier that names a narrow tier `gpu`."""
    text = (ROOT / "matrix.toml").read_text("utf-8")
    document = tomlkit.parse(text)
    tiers: Any = document["tiers"]
    tiers[TIER]["with_gpu"] = "gpu"
    tiers[TIER]["scenarios"] = list(SCENARIOS[:1])
    tiers["gpu"]["scenarios"] = list(SCENARIOS)
    path = HOME.root / "matrix.toml"
    path.write_text(tomlkit.dumps(document), "utf-8")
    return path


def _of_report(matrix: Matrix) -> Iterator[str]:
    """Nobody may take it for a measurement."""
    if (matrix.run.device, matrix.run.device_name) != (Device.CUDA, "CUDA stand-in"):
        yield f"it says it ran on {matrix.run.device}, {matrix.run.device_name}"
    for name in ("index.html", "matrix.md"):
        if "Run on a CUDA stand-in" not in (REPORT / name).read_text("utf-8"):
            yield f"{name} does not say that it was a stand-in"
    for id_, record in matrix.environments.items():
        if record.gpu or record.status != "ready":
            yield f"{id_}: {record.reason}"


def _of_cells(matrix: Matrix) -> Iterator[str]:
    """Each is measured, and no component is lost or wrong."""
    ways = Counter(_way(matrix, cell) for cell in matrix.cells)
    pairs = len(RELEASES) ** 2
    wanted = {
        ("cpu", "cpu"): pairs,
        ("cpu", "cuda"): pairs * len(SCENARIOS),
        ("cuda", "cpu"): pairs * len(SCENARIOS),
        ("cuda", "cuda"): pairs * len(SCENARIOS),
    }
    if ways != wanted:
        yield f"there are cells from device to device {dict(ways)}, not {wanted}"
    for cell in matrix.cells:
        name = f"{cell.scenario}, {cell.writer} to {cell.reader}"
        if cell.scenario == "fp16-scaler" and "cpu" in _way(matrix, cell):
            if cell.status is not Status.UNSUPPORTED:
                yield f"{name}: {cell.status}, though there is no scaler on the CPU"
            continue
        if cell.status not in MEASURED or cell.error:
            yield f"{name}: {cell.status}: {cell.error or cell.reason}"
            continue
        bad = [one for one, verdict in cell.components.items() if verdict in BAD]
        found = cell.components.get("rng.cuda")
        rightly = "restored" if _way(matrix, cell) == ("cuda", "cuda") else "absent"
        if bad or found != rightly:
            yield f"{name}: {bad}, rng.cuda {found}, not {rightly}"


def _way(matrix: Matrix, cell: CellRecord) -> tuple[str, str]:
    """From which device to which."""
    writer, reader = (str(matrix.environments[end].device) for end in (cell.writer, cell.reader))
    return writer, reader


def _of_controls(matrix: Matrix) -> Iterator[str]:
    """Those of numbers aside, all pass; that nothing computes is noticed."""
    for control in matrix.controls:
        if not control.passed and control.name not in OF_NUMBERS:
            yield f"control {control.name} of {control.scenario}: {control.detail}"
        if control.passed and control.name == "GPU computes":
            yield "the stand-in passes for a GPU that computes"
    for name in ("null loader", "perfect loader", "twice the same", "altered rng.cuda"):
        on_gpu = [control for control in matrix.controls if control.environment.endswith(ON_GPU)]
        made = {control.scenario for control in on_gpu if control.name == name}
        if made != set(SCENARIOS):
            yield f"control {name} was made of {sorted(made)} only"


def _of_logs() -> Iterator[str]:
    """No child was refused, and no worker had to be replaced."""
    for log in sorted(HOME.logs.glob("*.log")):
        for line in log.read_text("utf-8", "replace").splitlines():
            if any(sign in line for sign in (*REFUSED, "another worker is started")):
                yield f"{log.name}: {line}"


if __name__ == "__main__":
    main()
