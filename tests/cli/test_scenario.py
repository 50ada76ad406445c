"""`ckptmatrix scenario check`: what somebody sees who is writing a scenario."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ckptmatrix.cli.scenario import check
from ckptmatrix.util.home import Home
from tests.support.places import ROOT

STACK = "torch2.15-np1"
LORA = ROOT / "examples" / "lora" / "train.py"
GRID = """
import train
from ckptmatrix.worker.script import Script

lora = Script(train.train, watch=("state",))
late = Script(train.train, save=9)
unknown = Script(train.train, watch=("estate",))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script and no matrix.toml."""
    (tmp_path / "train.py").write_text(LORA.read_text(encoding="utf-8"))
    (tmp_path / "grid.py").write_text(GRID)
    monkeypatch.setenv("CKPTMATRIX_HOME", str(Home.of(ROOT).root))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def checked(*arguments: str) -> Result:
    named = ("--stack", STACK, "--accelerate", "1.15.0", "--device", "cpu")
    return CliRunner().invoke(check, [*arguments, *named])


@pytest.mark.environments
def test_it_shows_what_each_step_saw(folder: Path) -> None:
    result = checked("grid:lora")
    assert result.exit_code == 0, result.output
    for line in (
        f"grid:lora in accelerate-1.15.0+{STACK}",
        "writer: saved into out/epoch-000001-state/",
        "  train_state.json            23 bytes",
        "  model        not saved: 0/layer.weight, 0/layer.bias",
        "  optimizer    saved",
        "steps after the save: 6",
        "reader: loaded by accelerate: exact: everything restored",
        "  hook_files   restored",
        "steps after the load: 6, as without a break: yes",
    ):
        assert line in result.output.splitlines()
    assert "not told apart" in result.output
    assert "noticed: step" in result.output


@pytest.mark.environments
def test_it_answers_as_json(folder: Path) -> None:
    found = json.loads(checked("grid:lora", "--json").stdout)
    assert found["outcome"]["status"] == "exact"
    assert found["checkpoint"]["directory"] == "out/epoch-000001-state"
    assert found["not_told_apart"] == ["step"]
    assert len(found["steps_after_save"]) == 6
    assert found["fault"] is None


@pytest.mark.environments
def test_what_is_lost_is_an_outcome(folder: Path) -> None:
    named = ("--stack", STACK, "--accelerate", "0.33.0", "--device", "cpu")
    result = CliRunner().invoke(check, ["train:train", *named])
    assert result.exit_code == 1
    assert "reader: loaded by accelerate: failed: KeyError: 'step'" in result.output


@pytest.mark.environments
def test_a_typo_is_shown_with_file_line_and_traceback(folder: Path) -> None:
    text = LORA.read_text(encoding="utf-8").replace("AdamW(lora.", "AdamW(lroa.")
    (folder / "train.py").write_text(text)
    line = 1 + text[: text.index("AdamW(lroa.")].count("\n")
    result = checked("grid:lora")
    assert result.exit_code == 3
    place = f"{folder / 'train.py'}, line {line}"
    assert f"build: NameError: name 'lroa' is not defined ({place})" in result.output
    assert "optimizer = torch.optim.AdamW(lroa.parameters(), lr=1e-2)" in result.output


@pytest.mark.environments
@pytest.mark.parametrize(
    ("named", "old", "new", "told"),
    [
        ("train:train", "yield place", "pass", "train() yields nothing"),
        ("train:train", "resume_from=None", "resume=None", "train() takes no resume_from"),
        ("train:train", "yield place", "yield 'elsewhere'", "yielded 'elsewhere', which is no dir"),
        ("train:train", "accelerator.load_state(resume_from)", "pass", "trained before it called"),
        ("train:train", "while state", "if state", "ends without a step after its save"),
        ("grid:late", "", "", "ended after 4 yields, before the one that counts (9)"),
        ("grid:unknown", "", "", "watch names 'estate', which train() has not"),
        ("train:Base", "", "", "train:Base is no scenario"),
        ("train:EPOCHS", "", "", "train:EPOCHS is neither a scenario nor a function"),
        ("train:trian", "", "", "module 'train' has no attribute 'trian'"),
    ],
)
def test_what_a_script_lacks_is_told_in_a_sentence(
    folder: Path, named: str, old: str, new: str, told: str
) -> None:
    text = LORA.read_text(encoding="utf-8")
    assert old in text
    (folder / "train.py").write_text(text.replace(old, new) if old else text)
    result = checked(named)
    assert result.exit_code == 3
    assert told in result.output.replace("\n", " ")
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("nothing", "there is no scenario 'nothing'"),
        ("train.train", "there is no scenario 'train.train'"),
    ],
)
def test_what_is_no_scenario_is_wrong_use(folder: Path, named: str, told: str) -> None:
    result = checked(named)
    assert result.exit_code != 0
    assert told in str(result.exception)
