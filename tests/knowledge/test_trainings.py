"""Every scenario that ships is described once, in words; of others the name is all there is."""

from ckptmatrix.knowledge.trainings import GROUPS, OTHERS, grouped
from ckptmatrix.plan.config import read_config
from tests.support.places import ROOT


def test_every_shipped_scenario_is_in_one_group() -> None:
    sources = read_config(ROOT / "matrix.toml").scenarios.items()
    shipped = {name for name, source in sources if source.startswith("ckptmatrix.")}
    described = [name for group in GROUPS for name in group.scenarios]
    assert len(described) == len(set(described))
    assert shipped <= set(described)
    assert all(words for group in GROUPS for words in group.scenarios.values())


def test_scenarios_of_ones_own_come_last_and_groups_without_any_are_left_out() -> None:
    found = grouped(["mine", "ddp-2", "basic"])
    assert [(group.title, list(group.scenarios)) for group in found] == [
        ("Common trainings", ["basic"]),
        ("Several processes", ["ddp-2"]),
        (OTHERS, ["mine"]),
    ]
