"""The directory that the project was founded on: what was measured of it, and what each tool says.

Written by scenario `kohya-lora` with accelerate 0.33.0 on torch 2.4.1, read with 0.33.0 on
a newer torch with numpy 1; the committed fixture is the same writer's.
"""

import re

import pytest

from ckptmatrix.checkpoint.explain.diagnosis import diagnose
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.prediction import predict
from ckptmatrix.model import Status
from tests.support.places import FIXTURES
from tests.truth.measured import RUN, Cell
from tests.truth.test_explained import as_traceback

WRITER, READERS = (
    "accelerate-0.33.0+torch2.4-np1",
    re.compile(r"accelerate-0\.33\.0\+torch2\.1\d-np1"),
)
DIRECTORY = FIXTURES / "kohya-lora" / "0.33.0+torch2.4-np1" / "name-000030-state"


def _cell(loader: str, treatment: str) -> Cell:
    for cell in RUN.cells(loader, treatment):
        ours = (cell.scenario, cell.writer) == ("kohya-lora", WRITER)
        if ours and READERS.fullmatch(cell.reader):
            return cell
    pytest.skip("this run has no such cell")


@pytest.fixture(scope="module")
def plain() -> Cell:
    return _cell("accelerate", "as-saved")


def test_it_raises_as_in_the_document(plain: Cell) -> None:
    assert plain.status is Status.FAILED
    assert plain.error is not None
    assert (plain.error.type, plain.error.message) == ("KeyError", "'step'")
    last = plain.error.traceback.splitlines()[-1]
    assert last.endswith(
        'accelerator.py:3156 in load_state: self.step = override_attributes["step"]'
    )
    loaded = {"model", "optimizer", "scheduler"}
    assert {name for name, verdict in plain.components.items() if verdict == "restored"} >= loaded


def test_explain_names_the_release_and_the_cause(plain: Cell) -> None:
    first = diagnose(as_traceback(plain) + "torch==2.13.0 numpy==1.26.4 accelerate==0.33.0\n")[0]
    assert first.origin.releases == ("0.33.0",)
    assert first.modes[0] == "step-keyerror"


def test_inspect_predicts_it() -> None:
    predicted = predict(gather(DIRECTORY), "0.33.0", "2.13.0", "1.26.4")
    assert (predicted.status, predicted.raises) == (Status.FAILED, "KeyError: 'step'")


@pytest.mark.parametrize("remedy", [("ckptmatrix", "as-saved"), ("accelerate", "repaired")])
def test_each_remedy_makes_it_resume_bit_for_bit(remedy: tuple[str, str]) -> None:
    cell = _cell(*remedy)
    assert cell.status is Status.EXACT
    told = {name: v for name, v in cell.components.items() if v != "absent"}
    # It saves when a round has just ended, so that `step` is 0, as before the load.
    assert told.pop("step") == "not told apart"
    assert set(told.values()) == {"restored"}
    assert cell.resume is not None
    assert cell.resume.exact
    assert cell.resume.steps > 0
