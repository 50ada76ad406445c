"""Every scenario that ships, in a real environment: what is judged can be told right from wrong."""

import pytest

from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, CellRecord, Environment, Status, summary
from ckptmatrix.plan.config import read_config
from ckptmatrix.worker.words import ControlKind
from tests.support.answers import returned
from tests.support.places import NEWEST, ROOT

pytestmark = pytest.mark.environments

SCENARIOS = [
    name
    for name, source in read_config(ROOT / "matrix.toml").scenarios.items()
    if source.startswith("ckptmatrix.")
]
OLDER = Environment("0.31.0", "torch2.4-np1")
EIGHT_BIT = Environment("1.15.0", "torch2.15-np2-8bit")
"""With the packages that some scenarios need."""
WHERE = [
    *((environment, name) for environment in (NEWEST, OLDER) for name in SCENARIOS),
    *((EIGHT_BIT, name) for name in SCENARIOS if "-8bit" in name),
]


@pytest.fixture(params=WHERE, ids=lambda where: f"{where[0].short}-{where[1]}")
def cell(request: pytest.FixtureRequest) -> Cell:
    environment, name = request.param
    return Cell(environment, environment, name)


@pytest.fixture
def written(lab: Lab, cell: Cell) -> Written:
    found = lab.registry.written(cell.writer, cell.scenario)
    if found.record.status != "written":
        assert found.record.reason, "nothing is left out without a reason"
        pytest.skip(f"{found.record.status}: {found.record.reason}")
    return found


def controlled(lab: Lab, cell: Cell, written: Written, kind: ControlKind) -> CellRecord:
    record = lab.loading(cell, written).control(kind)
    if record.status is Status.UNSUPPORTED:
        assert record.reason
        pytest.skip(f"unsupported: {record.reason}")
    return record


def test_a_load_of_nothing_is_noticed_in_every_component(
    lab: Lab, cell: Cell, written: Written
) -> None:
    record = controlled(lab, cell, written, ControlKind.NOTHING)
    present = {name: str(v) for name, v in record.components.items() if v != "absent"}
    assert present
    assert set(present.values()) <= {"lost", "unsaved", "not told apart"}
    same = {name.partition("@")[0] for name, v in present.items() if v == "not told apart"}
    assert same <= {"step"}, "a step that was saved as 0 is that of a new accelerator too"
    assert "lost" in present.values()
    unsaved = {name.partition("@")[0] for name, v in present.items() if v == "unsaved"}
    assert unsaved <= {name.partition("@")[0] for name in written.record.unsaved}
    assert record.status == Status.DEGRADED
    assert record.resume is not None
    assert not record.resume.exact


def test_a_perfect_load_is_exact(lab: Lab, cell: Cell, written: Written) -> None:
    record = controlled(lab, cell, written, ControlKind.PERFECT)
    assert record.status == Status.EXACT, summary(record)


def test_the_writer_itself_goes_on_as_the_reference_foretells(
    lab: Lab, cell: Cell, written: Written
) -> None:
    continued = returned(lab.loading(cell, written).reference())
    if continued is None:
        pytest.skip("it is read by another number of processes than wrote it, or not at all")
    assert written.trace == continued
