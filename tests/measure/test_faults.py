"""What goes wrong beside every release: told with its place, once, and never kept for ever."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ckptmatrix.measure.faults import fault_of, fault_of_host, last_frames, problems_of
from ckptmatrix.model import Fault, ProblemKind
from ckptmatrix.worker.protocol import NotReturned, Origin
from ckptmatrix.worker.words import Ending
from tests.support.places import NEWEST, ROOT

HOME = "/home/me/.ckptmatrix"
PLACE = f"{HOME}/environments/accelerate-1.15.0+torch2.15-np2-0b303c66"
TRACE = f"""Traceback (most recent call last):
  File "{HOME}/bundles/8ceb3c9fb9eb511e/ckptmatrix/worker/forking.py", line 115, in _call
    answer = Returned(function())
             ^^^^^^^^^^
  File "{HOME}/bundles/8ceb3c9fb9eb511e/ckptmatrix/worker/writing.py", line 61, in write
    training = build(scenario, device, seed, ranks)
  File "/mine/my_training.py", line 12, in build
    return self.prepared()
  File "/mine/my_training.py", line 30, in prepared
    accelerator.prepare(None)
  File "{PLACE}/lib/python3.11/site-packages/accelerate/accelerator.py", line 9, in prepare
    raise ValueError("no model")
ValueError: no model
"""
RAISED = NotReturned(
    Ending.RAISED, TRACE, Origin("build", "ValueError", "no model", "/mine/my_training.py", 30)
)


def test_a_fault_has_the_scripts_line_and_few_frames_without_this_machines_places() -> None:
    found = fault_of(RAISED, "mine", NEWEST.id, "/log")
    assert found.sentence == "build: ValueError: no model (/mine/my_training.py, line 30)"
    assert found.traceback.count("  File ") == 4
    assert found.traceback.startswith('  File "ckptmatrix/worker/writing.py", line 61')
    assert '"accelerate-1.15.0+torch2.15-np2/lib/python3.11/site-packages' in found.traceback
    assert found.traceback.endswith("ValueError: no model")
    assert found.log == "/log"


def test_a_short_traceback_stays_whole() -> None:
    assert last_frames("Traceback\nValueError: bad\n") == "Traceback\nValueError: bad"


def test_a_process_that_died_has_no_place() -> None:
    found = fault_of(NotReturned(Ending.CRASHED, "killed by SIGSEGV"), "mine", NEWEST.id)
    assert found.sentence == "ckptmatrix: crashed: killed by SIGSEGV"


def test_what_nobody_foresaw_in_the_host_has_its_own_line() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        found = fault_of_host(error, "mine", NEWEST.id)
    assert found.type == "JSONDecodeError"
    assert found.line
    assert Path(found.file).exists()


def test_a_fault_is_told_once_for_each_scenario() -> None:
    one, other = "accelerate-0.33.0+torch2.15-np2", NEWEST.id
    faults = [fault_of(RAISED, name, place) for name in ("mine", "yours") for place in (one, other)]
    first, second = problems_of([*faults, *faults])
    assert first.kind is ProblemKind.HARNESS_FAILED
    assert first.text.startswith("no outcome of scenario mine: build: ValueError: no model (/mine/")
    assert f"in {one} and 1 more environment\n" in first.text
    assert "scenario yours" in second.text
    assert len(problems_of([*faults, Fault("mine", one, "after", "KeyError", "x")])) == 3


SCRIPTS = """
from ckptmatrix.worker.scenarios.basic import Basic

class Sound(Basic):
    pass

class Failing(Basic):
    def before(self, training):
        training.models[0].no_such_thing

class Reading(Basic):
    def build_reader(self, device):
        raise LookupError("no data here")
"""
TIER = """
[tiers.mine]
accelerate = ["1.15.0"]
stacks = ["STACK"]
scenarios = ["sound", "failing", "reading", "absent"]
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A project with a scenario that is sound, and three that are not."""
    (tmp_path / "my_training.py").write_text(SCRIPTS, encoding="utf-8")
    (tmp_path / "my_absent.py").write_text("\nimport no_such_module\n", encoding="utf-8")
    declared = (
        (ROOT / "matrix.toml")
        .read_text("utf-8")
        .replace(
            "[scenarios]\n",
            TIER.replace("STACK", NEWEST.stack)
            + "[scenarios]\n"
            + "".join(
                f'{name.lower()} = "my_training:{name}"\n'
                for name in ("Sound", "Failing", "Reading")
            )
            + 'absent = "my_absent:Absent"\n',
        )
    )
    (tmp_path / "matrix.toml").write_text(declared, encoding="utf-8")
    return tmp_path


def run(project: Path) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "run", "--tier", "mine", "--device", "cpu", "-n", "2"],
        cwd=project,
        env={**os.environ, "CKPTMATRIX_HOME": str(ROOT / ".ckptmatrix")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return ended.returncode, ended.stdout


@pytest.mark.environments
def test_a_run_with_scripts_that_raise_measures_the_rest_and_says_where(mine: Path) -> None:
    code, said = run(mine)
    assert code == 3
    assert "4 cells: 1 exact, 3 not-run" in said
    problems = [line for line in said.splitlines() if line.startswith("problem: ")]
    place = mine / "my_training.py"
    assert len(problems) == 3, said
    assert "scenario failing: before: AttributeError: 'Sequential' object has no" in said
    assert f"({place}, line 9); in {NEWEST.id}" in said
    assert f"scenario reading: build_reader: LookupError: no data here ({place}, line 13)" in said
    assert "scenario absent: import: ModuleNotFoundError: No module named" in said
    assert f"({mine / 'my_absent.py'}, line 2)" in said
    assert said.count("log: /") == 3
    # What a scenario's script did is tried again, once it is mended.
    mended = SCRIPTS.replace("training.models[0].no_such_thing", "super().before(training)")
    place.write_text(mended.replace("raise LookupError", "return self.build(device) #"), "utf-8")
    (mine / "my_absent.py").write_text("from my_training import Sound as Absent\n", "utf-8")
    code, said = run(mine)
    assert "4 cells: 4 exact" in said
    assert "problem: " not in said


@pytest.mark.environments
def test_a_fault_is_tried_again_by_the_next_run_though_nothing_has_changed(mine: Path) -> None:
    flag = mine / "flag"
    text = SCRIPTS.replace("training.models[0].no_such_thing", f"open({str(flag)!r})")
    (mine / "my_training.py").write_text(
        text.replace("(self, training):", "(self, training):\n        super().before(training)"),
        encoding="utf-8",
    )
    (mine / "matrix.toml").write_text(
        (mine / "matrix.toml").read_text("utf-8").replace(', "reading", "absent"', ""), "utf-8"
    )
    assert run(mine)[0] == 3
    flag.touch()
    code, said = run(mine)
    assert "2 cells: 2 exact" in said
    assert code == 0, said
