"""The command: its output, its JSON and its exit codes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import BY_TRAINING_STACK, LORA
from tests.support.torch_files import torch_file, torch_zip


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ckptmatrix", "inspect", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_one_directory_in_words() -> None:
    done = _run(LORA)
    assert done.returncode == 0
    for word in (
        "kohya", ">=0.32.0,<1.5.0", "numpy.core", "StepLR", "current_step", "360",
        "KeyError: 'step'", "not by accelerate",
    ):  # fmt: skip
        assert word in " ".join(done.stdout.split())


def test_one_directory_as_json() -> None:
    value = json.loads(_run(LORA, "--json").stdout)["checkpoints"][0]
    assert value["writer"]["accelerate"] == ">=0.32.0,<1.5.0"
    assert value["stack"]["id"] == "kohya-network"
    assert value["facts"]["models"][0]["parameters"] == 58
    assert {"exact", "degraded", "failed"} <= {box["status"] for box in value["outlook"]}


def test_a_folder_of_many_is_a_table_newest_first(tmp_path: Path) -> None:
    for age, name in enumerate(("one-new", "two-middle", "three-old")):
        copy = shutil.copytree(LORA, tmp_path / name)
        for file in os.scandir(copy):
            os.utime(file, (1_700_000_000 - age * 86_400,) * 2)
    value = json.loads(_run(tmp_path, "--json").stdout)
    names = [one["facts"]["directory"].rpartition("/")[2] for one in value["checkpoints"]]
    assert names == ["one-new", "two-middle", "three-old"]
    deeper = tmp_path.with_name("outputs") / "lora"
    deeper.parent.mkdir()
    tmp_path.rename(deeper)
    words = _run(deeper.parent).stdout
    assert words.index("one-new") < words.index("two-middle") < words.index("three-old")


@pytest.mark.parametrize(
    ("reader", "code", "word"),
    [
        ("accelerate==0.33.0 torch==2.4.1 numpy==1.26.4", 0, "exact"),
        ("accelerate==0.33.0 torch==2.13.0+cpu numpy==1.26.4", 1, "KeyError: 'step'"),
        ("accelerate==1.15.0,torch==2.13.0,numpy==2.4.1", 1, "degraded"),
        ("accelerate==1.15.0", 2, "torch and numpy"),
        ("accelerate==x torch==2 numpy==1", 2, "no version"),
    ],
)
def test_one_environment(reader: str, code: int, word: str) -> None:
    done = _run(LORA, "--reader", reader)
    assert done.returncode == code
    assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_use() -> None:
    done = _run(BY_TRAINING_STACK / "nothing")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_something_that_is_no_checkpoint(tmp_path: Path) -> None:
    done = _run(tmp_path)
    assert done.returncode == 1
    assert "unknown" in done.stdout


def test_a_dangerous_pickle_exits_with_1(tmp_path: Path) -> None:
    copy = shutil.copytree(LORA, tmp_path / "state")
    (tmp_path / "state" / "scheduler.bin").write_bytes(torch_zip(b"\x80\x02cos\nsystem\n)R."))
    done = _run(copy)
    assert done.returncode == 1
    assert "dangerous: os.system" in done.stdout


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.0, "a resume trains no further"),
        (0.001, "puts this learning rate in place of the one that the script sets"),
    ],
)
def test_what_a_saved_learning_rate_does_is_said(tmp_path: Path, rate: float, said: str) -> None:
    copy = shutil.copytree(LORA, tmp_path / "state")
    groups = [{"lr": rate, "betas": (0.9, 0.999), "params": [0, 1]}]
    state = torch_file({"state": {}, "param_groups": groups})
    (tmp_path / "state" / "optimizer.bin").write_bytes(state)
    assert said in " ".join(_run(copy).stdout.split())


def test_names_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    copy = tmp_path / "\x1b]0;owned\x07-state"
    shutil.copytree(LORA, copy)
    (copy / "\x1b[2J.bin").write_bytes(b"x")
    done = _run(copy)
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout
