"""The judge cannot be fooled: altered checkpoints, comparisons of nothing.

Loads of nothing, in every scenario: tests/measure/test_controls.py.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ckptmatrix.maintenance.mutation import Fate, score
from ckptmatrix.measure.faults import HarnessError
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Cell, Status, Verdict
from ckptmatrix.worker.words import ControlKind
from tests.maintenance.conftest import SHIPPED
from tests.support.answers import returned
from tests.support.places import NEWEST

pytestmark = pytest.mark.environments

SAMPLE = 8
"""Mutants of each scenario in the everyday test; `nox -s score` makes them all."""


def test_every_altered_place_of_basic_is_noticed(lab: Lab, own_cell: Callable[[str], Cell]) -> None:
    found = score(lab, own_cell("basic"))
    assert found.plain == Status.EXACT
    assert found.faults == ()
    named = {owner for m in found.mutants if m.fate == Fate.NAMED for owner in m.owners}
    # A whole random_states file is named with CUDA's generators, which a CPU does not have.
    there = {n: v for n, v in lab.measured(own_cell("basic")).components.items() if v != "absent"}
    assert set(there.values()) == {Verdict.RESTORED}
    assert named & set(there) == set(there)


@pytest.mark.parametrize("scenario", [name for name in SHIPPED if name != "basic"])
def test_a_sample_of_altered_places_is_noticed(
    scenario: str, lab: Lab, own_cell: Callable[[str], Cell]
) -> None:
    cell = own_cell(scenario)
    if lab.measured(cell).resume is None:
        pytest.skip("it does not load its own checkpoints, altered or not")
    total = len(returned(lab.loading(cell, lab.registry.treated(cell)).alterations()))
    stride = max(1, total // SAMPLE)
    found = score(lab, cell, lambda number, alteration: number % stride == 0)
    assert found.faults == ()
    assert found.count(Fate.NAMED, Fate.LOUD, Fate.SPREAD) > found.count(Fate.SAME)


@pytest.mark.parametrize("scenario", ["stateless", "ended"])
def test_a_comparison_of_nothing_is_an_error(scenario: str, lab: Lab) -> None:
    with pytest.raises(HarnessError, match=r"the same before the load|compared nothing|no steps"):
        lab.measured(Cell(NEWEST, NEWEST, scenario))


def test_a_training_that_breaks_down_after_the_load_is_degraded(lab: Lab) -> None:
    record = lab.measured(Cell(NEWEST, NEWEST, "broken"))
    assert record.status == Status.DEGRADED
    assert record.components["optimizer"] == Verdict.WRONG
    assert record.resume is not None
    assert record.resume.first_difference is not None
    assert record.resume.first_difference.quantity == "raised"
    assert record.resume.first_difference.found == "KeyError: 'exp_avg'"


@pytest.mark.parametrize("scenario", ["fsdp-2", "fsdp-2-sharded", "fsdp-2-v2", "fsdp-2-v2-sharded"])
def test_sharded_state_is_captured_and_put_back(scenario: str, lab: Lab) -> None:
    cell = Cell(NEWEST, NEWEST, scenario)
    written = lab.registry.written(NEWEST, cell.scenario)
    assert written.record.unsaved == {}
    assert written.record.status == "written", written.record.reason
    loading = lab.loading(cell, written)
    nothing, perfect = map(loading.control, (ControlKind.NOTHING, ControlKind.PERFECT))
    for name in ("model", "optimizer", "model@1", "optimizer@1"):
        assert nothing.components[name] == Verdict.LOST
        assert perfect.components[name] == Verdict.RESTORED
    assert perfect.status == Status.EXACT
    assert returned(loading.reference()) == written.trace


@pytest.mark.parametrize("scenario", ["ddp-2", "ddp-2-from-1", "ddp-2-main-only"])
def test_processes_are_judged_one_by_one(
    scenario: str, lab: Lab, own_cell: Callable[[str], Cell]
) -> None:
    record = lab.measured(own_cell(scenario))
    ranks = {name: v for name, v in record.components.items() if name.endswith("@1")}
    expected = {
        "ddp-2": {},
        "ddp-2-from-1": {"step@1": Verdict.LOST},
        "ddp-2-main-only": dict.fromkeys(
            ("rng.python@1", "rng.numpy@1", "rng.torch@1", "step@1"), Verdict.UNSAVED
        ),
    }[scenario]
    assert {name: v for name, v in ranks.items() if v != Verdict.RESTORED} == expected
    main = {v for name, v in record.components.items() if not name.endswith("@1")}
    assert main == {Verdict.RESTORED, Verdict.ABSENT}
    assert record.status == (Status.DEGRADED if expected else Status.EXACT)


def test_a_cell_measured_twice_agrees(lab: Lab, own_cell: Callable[[str], Cell]) -> None:
    for scenario in ("basic", "ddp-2"):
        first, second = (
            replace(lab.measured(own_cell(scenario)), seconds=0.0, measured="") for _ in range(2)
        )
        assert first == second
