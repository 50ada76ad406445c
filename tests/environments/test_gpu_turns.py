"""Turns on GPUs: as many processes as the memory holds, each GPU as many, none after the end."""

import threading
from pathlib import Path

import pytest

from ckptmatrix.environments.gpu_turns import UNMEASURED, GpuTurns, places_on
from ckptmatrix.model import Gpus
from ckptmatrix.util.home import Home

GB = 2**30
GPUS = Gpus("A GPU", 2, "9.0", "12.4", (10 * GB, 2 * GB))


def test_each_gpu_has_as_many_places_as_its_free_memory_holds() -> None:
    assert places_on(GPUS, GB) == (9, 1)
    assert places_on(GPUS, 4 * GB) == (2, 1)
    assert places_on(GPUS, 0) == (int(9 * GB) // UNMEASURED, int(1.8 * GB) // UNMEASURED)


def test_where_the_driver_does_not_say_what_is_free_one_goes_after_the_other() -> None:
    assert places_on(Gpus("A GPU", 3, "", ""), GB) == (1, 1, 1)


def test_gpus_are_dealt_out_to_the_workers_of_a_process(tmp_path: Path) -> None:
    dealt = [GpuTurns.of(Home(tmp_path), GPUS, GB) for _ in range(4)]
    assert [one.gpu for one in dealt[:2]] == [one.gpu for one in dealt[2:]]
    assert {one.gpu for one in dealt} == {0, 1}
    assert {one.gpu: one.places for one in dealt} == {0: 9, 1: 1}


def test_processes_of_xdist_begin_with_different_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw0")
    before = GpuTurns.of(Home(tmp_path), GPUS, GB)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw2")
    after_two = GpuTurns.of(Home(tmp_path), GPUS, GB)
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    after_three = GpuTurns.of(Home(tmp_path), GPUS, GB)
    assert after_two.gpu == 1 - before.gpu
    assert after_three.gpu == after_two.gpu  # one step further, one process earlier


def test_all_gpus_stay_visible_behind_a_workers_own(tmp_path: Path) -> None:
    turns = GpuTurns(tmp_path, 1, 3, 1)
    assert turns.visible({}) == "1,2,0"
    assert turns.visible({"CUDA_VISIBLE_DEVICES": "4,6,7"}) == "6,7,4"


def test_no_more_at_a_time_than_there_are_places(tmp_path: Path) -> None:
    turns = GpuTurns(tmp_path / "gpus", 0, 1, 2)
    inside, most, guard = 0, 0, threading.Lock()
    gate = threading.Barrier(2, timeout=60)

    def work() -> None:
        nonlocal inside, most
        with turns.turn():
            with guard:
                inside += 1
                most = max(most, inside)
            gate.wait()  # two are in there together, or nobody goes on
            with guard:
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_a_turn_ends_with_what_is_raised_in_it(tmp_path: Path) -> None:
    turns = GpuTurns(tmp_path, 0, 1, 1)
    with pytest.raises(LookupError), turns.turn():
        raise LookupError
    with turns.turn():
        pass
