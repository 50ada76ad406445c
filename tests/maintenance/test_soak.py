"""The soak finds what it is there to find: given runs that are as they should not be."""

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.maintenance.machine_faults import MachineFault
from ckptmatrix.maintenance.processes import Role
from ckptmatrix.maintenance.soaking import Soak
from tests.support.places import ROOT

RUN = """
import os, subprocess, sys, time
from pathlib import Path
from ckptmatrix.results.report import write_reports
from tests.support.cells import cell
from tests.support.runs import run_of
place = Path(os.environ["CKPTMATRIX_HOME"]).parent
FAULT
time.sleep(1)
write_reports(run_of(cell()), Path(sys.argv[-1]), None)
"""
SECOND = """
if (place / "before").exists():
    SECOND
(place / "before").touch()
"""


ORPHAN = """
    if not (place / "pid").exists():
        orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(999)"])
        (place / "new").write_text(str(orphan.pid))
        (place / "new").rename(place / "pid")
        time.sleep(999)
"""


def soak(place: Path, fault: str, kills: int = 0, draw: random.Random | None = None) -> Soak:
    """A soak of a run that does something else from its second start on."""
    code = RUN.replace("FAULT", SECOND.replace("    SECOND", f"    {fault.strip()}"))
    command = (sys.executable, "-c", code)
    told: list[str] = []
    draw = draw or random.Random(3)
    made = Soak(place, command, draw, lambda tally: tally.kills.total() >= kills, told.append)
    made.grid(made.undisturbed())
    return made


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))


def test_a_run_that_does_the_same_is_clean(tmp_path: Path) -> None:
    tally = soak(tmp_path, "pass").tally
    assert (tally.grids, tally.starts, tally.clean) == (1, 1, True)


def test_a_cell_that_comes_out_otherwise(tmp_path: Path) -> None:
    found = soak(tmp_path, "cell = lambda plain=cell: plain(status='degraded')").tally.differences
    assert len(found) == 1
    assert found[0].startswith("basic / accelerate-0.33.0+")


def test_what_is_left_half_made(tmp_path: Path) -> None:
    left = 'Path(os.environ["CKPTMATRIX_HOME"], ".ckptmatrix-half").touch()'
    assert len(soak(tmp_path, left).tally.leftovers) == 1


def test_another_end(tmp_path: Path) -> None:
    tally = soak(tmp_path, "write_reports(run_of(cell()), Path(sys.argv[-1]), None); sys.exit(3)")
    assert tally.tally.endings == ["3: "]


class Patient(random.Random):
    """Chance that waits until a file is there."""

    def __init__(self, file: Path) -> None:
        super().__init__(3)
        self.file = file

    def uniform(self, a: float, b: float) -> float:
        while not self.file.exists():
            time.sleep(0.02)
        return 0.0


def test_a_process_that_lives_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptmatrix.maintenance.soaking._GRACE", 0.2)
    monkeypatch.setattr("ckptmatrix.maintenance.soaking._TARGETS", (Role.RUN,))
    tally = soak(tmp_path, ORPHAN, 1, Patient(tmp_path / "pid")).tally
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert tally.kills == {"run": 1}
    assert len(tally.orphans) == 1


class Failing(random.Random):
    """Chance that lets the machine do one thing to each run."""

    def __init__(self, fault: MachineFault) -> None:
        super().__init__(3)
        self.fault = fault

    def random(self) -> float:
        return 0.0

    def choice(self, seq: Any) -> Any:
        return self.fault if self.fault in seq else super().choice(seq)


REFUSED = """
    if not (place / "refused").exists():
        (place / "refused").touch()
        print("error: no space is left (remedy: free some)".replace(" (", "\\n  ").rstrip(")"))
        sys.exit(3)
"""


def refusing(place: Path, fault: MachineFault) -> Soak:
    """A soak of a run whose first start under a fault of the machine ends with 3."""
    return soak(place, REFUSED, kills=1, draw=Failing(fault))


def test_a_run_may_refuse_what_the_machine_does_not_allow_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ckptmatrix.maintenance.soaking._GAP", (30, 60))
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)  # its own file does not fit on a full disk either
    tally = refusing(tmp_path, MachineFault.FULL).tally
    assert tally.clean
    assert (tally.refused, tally.starts) == (1, 2)


def test_what_is_damaged_has_to_be_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckptmatrix.maintenance.soaking._GAP", (30, 60))
    file = tmp_path / "home" / "checkpoints" / "one" / "basic" / "checkpoint" / "model"
    made = f"file = Path({str(file)!r}); file.parent.mkdir(parents=True); file.write_bytes(b'12')"
    monkeypatch.setattr("ckptmatrix.maintenance.soaking.Soak._forget", lambda soak: None)
    monkeypatch.setattr(
        "tests.maintenance.test_soak.SECOND", f"if not (place / 'before').exists(): {made}{SECOND}"
    )
    tally = refusing(tmp_path, MachineFault.CHECKPOINT).tally
    assert tally.faults == {"damaged checkpoint": 1}
    assert file.read_bytes() != b"12"
    assert [ending.partition(":")[0] for ending in tally.endings] == ["3"]
