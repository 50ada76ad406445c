"""matrix.toml: what is read, and what a wrong file is told."""

from pathlib import Path

import pytest

from ckptmatrix.errors import UsageError
from ckptmatrix.plan.config import Config, line_of, read_config
from tests.support.places import ROOT

RIGHT = """\
[stacks."torch9-np9"]
python = "3.11"
packages = ["torch==9.0"]

[tiers.smoke]
accelerate = ["1.0.1"]
"""


def read(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "matrix.toml"
    path.write_text(text)
    return read_config(path)


def test_shipped_scenarios_and_loaders_need_no_entry(tmp_path: Path) -> None:
    path = tmp_path / "matrix.toml"
    path.write_text(RIGHT + '\n[scenarios]\nmine = "my.states:Mine"\n')
    config = read_config(path)
    assert config.scenarios["basic"] == "ckptmatrix.worker.scenarios.basic:scenario"
    assert config.scenarios["mine"] == "my.states:Mine"
    assert config.loaders["accelerate"] == "ckptmatrix.worker.loaders.accelerate:load_state"


def test_the_projects_own_file_is_right() -> None:
    config = read_config(ROOT / "matrix.toml")
    tiers = {
        "smoke",
        "eras",
        "sharded",
        "resharded",
        "deepspeed",
        "eight-bit",
        "states",
        "full",
        "torch",
        "gpu",
    }
    assert set(config.tiers) == tiers
    assert config.tiers["eras"].with_gpu == "gpu"


def test_each_stack_of_tier_torch_is_one_factor_away_from_another() -> None:
    config = read_config(ROOT / "matrix.toml")
    with_more = {*config.tiers["deepspeed"].stacks, *config.tiers["eight-bit"].stacks}
    assert set(config.tiers["torch"].stacks) == config.stacks.keys() - with_more
    sets = {
        name: {stack.python, *stack.packages}
        for name, stack in config.stacks.items()
        if name not in with_more
    }
    for name, parts in sets.items():
        away = [len(parts - others) for other, others in sets.items() if other != name]
        assert min(away) == 1, name


def test_a_pattern_stands_for_the_scenarios_that_match(tmp_path: Path) -> None:
    smoke = read(tmp_path, RIGHT + 'scenarios = ["ddp-2-*", "basic"]\n').tiers["smoke"]
    assert smoke.scenarios[-1] == "basic"
    assert {name[:6] for name in smoke.scenarios[:-1]} == {"ddp-2-"}
    assert "ddp-2-shuffled" in smoke.scenarios
    most = read(tmp_path, RIGHT + 'without = ["ddp-2*", "basic"]\n').tiers["smoke"]
    assert {"ddp-2", "ddp-2-shuffled", "basic"} < set(most.without)
    assert most.scenarios == ["*"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (RIGHT.replace('"3.11"', "3.11"), "line 2: stacks.torch9-np9.python"),
        (RIGHT.replace("torch==9.0", "==9"), "line 3: stacks.torch9-np9.packages"),
        (RIGHT.replace('["1.0.1"]', '">>1"'), "line 6: tiers.smoke.accelerate"),
        (RIGHT.replace('["1.0.1"]', '["one"]'), "line 6: tiers.smoke.accelerate"),
        (RIGHT + 'stacks = ["torch8"]\n', "line 7: tiers.smoke.stacks: 'torch8' is not declared"),
        (RIGHT + 'scenarios = ["no*"]\n', "line 7: tiers.smoke.scenarios: 'no*' is not declared"),
        (RIGHT + 'without = ["none"]\n', "line 7: tiers.smoke.without: there is no scenario"),
        (RIGHT + 'stak = ["*"]\n', "line 7: tiers.smoke.stak"),
        (RIGHT + "\n[loaders]\nmine = 'nowhere'\n", "line 9: loaders.mine"),
        (RIGHT + "with_gpu = 'smoke'\n", "line 7: tiers.smoke.with_gpu: tier 'smoke' is not about"),
        (RIGHT + "with_gpu = 'none'\n", "line 7: tiers.smoke.with_gpu: 'none' is no tier"),
        (RIGHT + "\n[other]\n", "line 8: other: this table is not known"),
        (RIGHT.partition("[tiers")[0], "tiers: at least one is needed"),
        ("stacks = [", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_told_key_line_and_remedy(tmp_path: Path, wrong: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        read(tmp_path, wrong)
    assert told in error.value.message
    assert error.value.remedy


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_config(tmp_path / "matrix.toml")


def test_line_of_an_unknown_key_is_zero() -> None:
    assert line_of(RIGHT, ("nothing", "here")) == 0
