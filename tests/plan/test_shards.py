"""Shards: every reader in exactly one, none much longer than another, on every machine alike."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptmatrix.errors import UsageError
from ckptmatrix.measure.shard_record import measuring_digest
from ckptmatrix.plan.config import Config, read_config
from ckptmatrix.plan.estimate import reader_seconds
from ckptmatrix.plan.planning import Plan, make_plan
from ckptmatrix.plan.selection import Selection
from ckptmatrix.plan.shards import Shard, deal, part, plan_digest
from tests.support.places import ROOT

CONFIG = read_config(ROOT / "matrix.toml")


@pytest.fixture(scope="module")
def eras() -> Plan:
    return make_plan(CONFIG, Selection("eras", scenarios=("basic",)))


def uneven(kept: list[bool]) -> Plan:
    """The smoke plan with cells left out, as `-k` leaves it: its readers differ in cost."""
    plan = make_plan(CONFIG, Selection("smoke", scenarios=("basic",)))
    cells = tuple(cell for cell, keep in zip(plan.cells, kept, strict=False) if keep)
    return plan.narrowed(cells or plan.cells)


def costs(plan: Plan, shards: int) -> list[float]:
    cells = Counter(cell.reader for cell in plan.cells)
    return [sum(reader_seconds(cells[r]) for r in hand) for hand in deal(plan, shards)]


@given(st.lists(st.booleans(), min_size=225, max_size=225), st.integers(1, 15))
def test_every_cell_is_in_exactly_one_shard(kept: list[bool], shards: int) -> None:
    plan = uneven(kept)
    shards = min(shards, len(plan.readers))
    parts = [part(plan, Shard(number, shards)) for number in range(1, shards + 1)]
    assert all(one.cells for one in parts)
    assert Counter(cell for one in parts for cell in one.cells) == Counter(plan.cells)
    readers = [reader for one in parts for reader in one.readers]
    assert len(readers) == len(set(readers)), "a reader was split"


@given(st.lists(st.booleans(), min_size=225, max_size=225), st.integers(2, 8))
def test_no_shard_is_longer_than_another_by_more_than_one_reader(
    kept: list[bool], shards: int
) -> None:
    plan = uneven(kept)
    loads = costs(plan, min(shards, len(plan.readers)))
    longest = max(reader_seconds(n) for n in Counter(c.reader for c in plan.cells).values())
    assert max(loads) - min(loads) <= longest + 1e-9


def test_long_readers_are_dealt_first() -> None:
    # Of 1, 14, 15 and 15 cells; dealt in the plan's order, the first and the third would meet.
    plan = make_plan(CONFIG, Selection("smoke", scenarios=("basic",)))
    wanted = dict(zip(plan.readers, (1, 14, 15, 15), strict=False))
    seen: Counter[object] = Counter()
    cells = []
    for cell in plan.cells:
        seen[cell.reader] += 1
        if seen[cell.reader] <= wanted.get(cell.reader, 0):
            cells.append(cell)
    short, middling, long, longer = plan.readers[:4]
    assert deal(plan.narrowed(tuple(cells)), 2) == ((middling, long), (short, longer))


def test_a_shard_reads_every_checkpoint_of_the_plan(eras: Plan) -> None:
    third = part(eras, Shard(3, 8))
    assert set(third.checkpoints) == set(eras.checkpoints)
    assert third.environments == eras.environments
    assert len(third.readers) == 6
    assert len(third.cells) == 6 * 45


def test_the_cells_keep_the_plans_order(eras: Plan) -> None:
    third = set(part(eras, Shard(3, 8)).cells)
    assert part(eras, Shard(3, 8)).cells == tuple(c for c in eras.cells if c in third)


def test_one_shard_is_the_plan(eras: Plan) -> None:
    assert part(eras, Shard(1, 1)) == eras


def test_more_shards_than_readers_are_refused() -> None:
    plan = make_plan(CONFIG, Selection("smoke", ("1.15.0",), scenarios=("basic",)))
    with pytest.raises(UsageError, match="3 readers cannot be dealt out to 4 shards"):
        deal(plan, 4)


@pytest.mark.parametrize("wrong", ["0/3", "4/3", "3", "3/", "/3", "a/b", "1/0", "-1/3", "1/3/5"])
def test_what_is_no_shard_is_told(wrong: str) -> None:
    with pytest.raises(ValueError, match="the third of eight"):
        Shard.parse(wrong)


def test_the_digest_tells_plans_apart(eras: Plan) -> None:
    other = replace(CONFIG.stacks["torch2.15-np2"], packages=("torch==2.15.0", "numpy==2.4.0"))
    changed = replace(CONFIG, stacks={**CONFIG.stacks, "torch2.15-np2": other})
    plans = [
        eras,
        make_plan(CONFIG, Selection("smoke", scenarios=("basic",))),
        make_plan(CONFIG, Selection("eras", scenarios=("bf16",))),
        make_plan(CONFIG, Selection("eras", scenarios=("basic",), loaders=("ckptmatrix",))),
        make_plan(changed, Selection("eras", scenarios=("basic",))),
        eras.narrowed(eras.cells[1:]),
    ]
    assert len({plan_digest(plan) for plan in plans}) == len(plans)
    again = make_plan(CONFIG, Selection("eras", scenarios=("basic",)))
    assert plan_digest(again) == plan_digest(eras)


def test_a_changed_scenario_is_other_code(tmp_path: Path, eras: Plan) -> None:
    def digest(text: str) -> str:
        # A folder of its own each: what a source is made of is looked at once in a process.
        root = tmp_path / str(len(text))
        root.mkdir()
        (root / "mine.py").write_text(text, encoding="utf-8")
        scenarios = {**CONFIG.scenarios, "basic": "mine:Mine"}
        config = Config(root / "matrix.toml", CONFIG.stacks, CONFIG.tiers, scenarios, {})
        return measuring_digest(eras, config)

    assert digest("class Mine: pass\n") != digest("class Mine: steps = 5\n")


def test_another_process_deals_alike(eras: Plan) -> None:
    code = (
        "from tests.plan.test_shards import *\n"
        "plan = make_plan(CONFIG, Selection('eras', scenarios=('basic',)))\n"
        "print(plan_digest(plan), *(cell.id for cell in part(plan, Shard(2, 8)).cells))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    told = ended.stdout.split()
    assert told == [plan_digest(eras), *(cell.id for cell in part(eras, Shard(2, 8)).cells)]


def test_pytest_takes_the_ends_of_cells() -> None:
    named = ["--matrix-reader=1.15.0+torch2.15-np2", "--matrix-writer=0.33.0+torch2.4-np1,1.15.0"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/matrix", "--co", "-q", "-n0", *named],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    cells = [line for line in ended.stdout.splitlines() if "saved-" in line]
    assert len(cells) == 1
    assert "basic/saved-0.33.0+torch2.4-np1/loaded-1.15.0+torch2.15-np2" in cells[0]
