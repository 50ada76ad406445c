"""Devices of a plan: the tier on the CPU, tier `gpu` beside it, writer and reader on either."""

from collections import Counter
from itertools import pairwise

import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.model import Cell, Device
from ckptmatrix.plan.config import Config, read_config
from ckptmatrix.plan.estimate import Work
from ckptmatrix.plan.planning import make_plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import Selection
from tests.support.places import ROOT

BOTH = (Device.CPU, Device.CUDA)
TWO = ("0.33.0", "1.15.0")
ONE_STACK = ("torch2.4-np1",)


@pytest.fixture(scope="module")
def config() -> Config:
    return read_config(ROOT / "matrix.toml")


def ways(config: Config, cells: tuple[Cell, ...]) -> Counter[tuple[str, str]]:
    found = Counter[tuple[str, str]]()
    for cell in cells:
        ends = (config.stack(end.stack) for end in (cell.writer, cell.reader))
        writer, reader = (str(stack.device) for stack in ends if stack)
        found[writer, reader] += 1
    return found


def test_on_the_cpu_nothing_is_called_otherwise_than_ever(config: Config) -> None:
    plan = make_plan(config, Selection("eras"))
    assert plan.devices == (Device.CPU,)
    assert plan.environments[0].id == "accelerate-0.14.0+torch2.4-np1"
    assert plan == make_plan(config, Selection("eras", devices=(Device.CPU,)))


def test_a_gpu_adds_its_tier_to_the_default_one(config: Config) -> None:
    plain = make_plan(config, Selection("eras"))
    both = make_plan(config, Selection("eras", devices=BOTH))
    assert both.devices == BOTH
    known = set(plain.cells)
    assert known < set(both.cells)
    added = tuple(cell for cell in both.cells if cell not in known)
    found = ways(config, added)
    assert found["cpu", "cpu"] == 0
    assert found["cpu", "cuda"] == found["cuda", "cpu"] == found["cuda", "cuda"] > 0
    assert {cell.scenario for cell in added} == set(config.tiers["gpu"].scenarios)
    assert "accelerate-1.15.0+torch2.15-np2+cuda" in {one.id for one in both.environments}


def test_the_cells_of_a_reader_stay_together(config: Config) -> None:
    both = make_plan(config, Selection("eras", devices=BOTH))
    readers = [cell.reader for cell in both.cells]
    changes = sum(one != other for one, other in pairwise(readers))
    assert changes == len(both.readers) - 1


def test_a_tier_that_names_none_stays_on_the_cpu(config: Config) -> None:
    assert make_plan(config, Selection("smoke", devices=BOTH)).devices == (Device.CPU,)


def test_a_whole_tier_can_be_measured_on_gpus(config: Config) -> None:
    plan = make_plan(config, Selection("smoke", devices=(Device.CUDA,)))
    assert plan.devices == (Device.CUDA,)
    assert len(plan.cells) == len(make_plan(config, Selection("smoke")).cells)


def test_what_narrows_a_tier_narrows_what_comes_beside_it(config: Config) -> None:
    selection = Selection("eras", TWO, ONE_STACK, ("basic", "numpy-lr"), devices=BOTH)
    plan = make_plan(config, selection)
    assert ways(config, plan.cells) == {
        ("cpu", "cpu"): 8,
        ("cpu", "cuda"): 4,
        ("cuda", "cpu"): 4,
        ("cuda", "cuda"): 4,
    }
    only = make_plan(config, Selection("eras", TWO, ONE_STACK, ("numpy-lr",), devices=BOTH))
    assert only.devices == (Device.CPU,)


def test_tier_gpu_by_itself_needs_one(config: Config) -> None:
    with pytest.raises(UsageError, match="none is to be used"):
        make_plan(config, Selection("gpu"))
    found = ways(config, make_plan(config, Selection("gpu", devices=BOTH)).cells)
    assert set(found) == {("cpu", "cuda"), ("cuda", "cpu"), ("cuda", "cuda")}
    alone = make_plan(config, Selection("gpu", devices=(Device.CUDA,)))
    assert set(ways(config, alone.cells)) == {("cuda", "cuda")}


def test_remedies_are_measured_on_gpus_only_where_they_are_asked_for(config: Config) -> None:
    assert make_plan(config, Selection("eras", devices=BOTH)).remedies == (Device.CPU,)
    asked = Selection("eras", remedies=True, devices=BOTH)
    assert make_plan(config, asked).remedies == BOTH
    refused = Selection("eras", remedies=False, devices=BOTH)
    assert make_plan(config, refused).remedies == ()


def test_controls_are_made_of_what_is_loaded_in_a_stack(config: Config) -> None:
    plan = make_plan(config, Selection("eras", devices=BOTH))
    assert plan.controlled["torch2.4-np1"] == plan.scenarios
    assert set(plan.controlled["torch2.4-np1+cuda"]) == set(config.tiers["gpu"].scenarios)


@pytest.mark.parametrize(
    ("devices", "narrowed"), [((Device.CPU,), False), (BOTH, False), ((Device.CUDA,), True)]
)
def test_what_a_gpu_adds_makes_a_tier_no_less_whole(
    config: Config, devices: tuple[Device, ...], narrowed: bool
) -> None:
    selection = Selection("eras", devices=devices)
    assert Selected(config, selection, "", make_plan(config, selection)).narrowed is narrowed


def test_waking_a_gpu_is_counted_for_each_process() -> None:
    work = Work(0, 0, 0, 0, 0, 100)
    more = Work(0, 0, 0, 0, 0, 100, on_gpu=100, gpu_seconds=2.0, gpu_places=4)
    assert more.seconds(8) - work.seconds(8) == 100 * 2.0 / 4
    assert more.seconds(2) - work.seconds(2) == 100 * 2.0 / 2
