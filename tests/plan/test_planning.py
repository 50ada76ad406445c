"""The plan is pure: declared and selected in, environments and cells out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.config import Config, read_config
from ckptmatrix.plan.planning import make_plan, needs_index
from ckptmatrix.plan.selection import Selection
from tests.support.places import ROOT

ERAS = [
    "0.14.0",
    "0.15.0",
    "0.20.3",
    "0.24.1",
    "0.25.0",
    "0.31.0",
    "0.32.1",
    "0.33.0",
    "0.34.2",
    "1.0.1",
    "1.1.1",
    "1.4.0",
    "1.8.1",
    "1.14.0",
    "1.15.0",
]


@pytest.fixture(scope="module")
def config() -> Config:
    return read_config(ROOT / "matrix.toml")


def test_every_environment_reads_every_checkpoint(config: Config) -> None:
    plan = make_plan(config, Selection("eras", scenarios=("basic",)))
    assert len(plan.environments) == 45
    assert len(plan.checkpoints) == 45
    assert len(plan.cells) == len(set(plan.cells)) == 45 * 45
    assert [e.accelerate for e in plan.environments if e.stack == "torch2.4-np1"] == ERAS


def test_releases_come_in_their_own_order(config: Config) -> None:
    plan = make_plan(config, Selection("smoke", accelerate=("1.15.0", "0.9.0", "1.2.0")))
    assert [e.accelerate for e in plan.environments][:3] == ["0.9.0", "1.2.0", "1.15.0"]


def test_the_full_tier_takes_what_the_index_has(config: Config) -> None:
    selection = Selection("full", stacks=("torch2.15-np2",))
    assert needs_index(config, selection)
    released = ("0.1.0", "0.10.0", "1.0.1", "1.16.0rc1", "1.16.0")
    plan = make_plan(config, selection, released)
    assert [e.accelerate for e in plan.environments] == ["0.10.0", "1.0.1", "1.16.0"]


def test_what_has_a_tier_of_its_own_is_not_in_all(config: Config) -> None:
    assert "fsdp-2" not in make_plan(config, Selection("eras")).scenarios
    assert make_plan(config, Selection("eras", scenarios=("fsdp-2",))).scenarios == ("fsdp-2",)
    assert "fsdp-2" in make_plan(config, Selection("sharded")).scenarios


def test_a_narrowed_plan_needs_only_its_ends(config: Config) -> None:
    plan = make_plan(config, Selection("smoke", scenarios=("basic",)))
    cells = tuple(
        c for c in plan.cells if "saved-0.33.0+torch2.4-np1/loaded-1.15.0+torch2.4" in c.id
    )
    narrowed = plan.narrowed(cells)
    assert len(cells) == 1
    assert [e.accelerate for e in narrowed.environments] == ["0.33.0", "1.15.0"]
    assert list(narrowed.stacks) == ["torch2.4-np1"]
    assert len(narrowed.checkpoints) == 1


@pytest.mark.parametrize(
    "wrong", [Selection("none"), Selection(stacks=("torch1",)), Selection(scenarios=("sleep",))]
)
def test_a_name_that_is_not_declared_is_told(config: Config, wrong: Selection) -> None:
    with pytest.raises(UsageError) as error:
        make_plan(config, wrong)
    assert error.value.remedy


@given(st.lists(st.sampled_from(ERAS), min_size=1, max_size=6))
def test_the_count_is_the_square_of_the_distinct_releases(releases: list[str]) -> None:
    config = read_config(ROOT / "matrix.toml")
    selection = Selection(accelerate=tuple(releases), scenarios=("basic",))
    plan = make_plan(config, selection)
    assert len(plan.cells) == (3 * len(set(releases))) ** 2
