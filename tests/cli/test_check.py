"""`ckptmatrix check`, as a person calls it: wrong input, and two real environments."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.places import LORA, ROOT

OLD = "accelerate==0.33.0 torch==2.13.0 numpy==1.26.4 safetensors==0.8.0"
NEW = "accelerate==1.15.0 torch==2.13.0 numpy==2.4.6 safetensors==0.8.0"


def check(
    *arguments: str, folder: Path = ROOT, given: str = ""
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ckptmatrix", "check", *arguments]
    return subprocess.run(
        command, cwd=folder, input=given, capture_output=True, text=True, check=False
    )


WRONG = {
    ("--from", "none.txt", "--to", NEW): (2, "is neither a file, nor"),
    ("--from", NEW, "--to", NEW): (2, "--from and --to are both"),
    ("--from", "torch==2.13.0 numpy==2.4.6", "--to", NEW): (2, "names no accelerate"),
    ("--from", OLD, "--to", NEW, "--scenario", "basik"): (2, "did you mean 'basic'?"),
    ("--from", OLD, "--to", NEW, "--json", "--markdown"): (2, "two answers"),
    ("--from", OLD, "--to", NEW, "--checkpoint", "none"): (2, "none"),
    ("--from", OLD, "--to", NEW, "--python", "3.x"): (2, "--python"),
    ("--from", "-", "--to", NEW): (2, "standard input names no package"),
    ("--from", "lock/uv.lock", "--to", NEW): (2, "has accelerate and no torch"),
    ("--from", "lock", "--to", NEW): (2, "is a folder without bin/python"),
}


@pytest.mark.parametrize("arguments", WRONG, ids=lambda one: " ".join(one)[:40])
def test_wrong_input_is_a_sentence_with_a_remedy(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock" / "uv.lock").write_text(
        'version = 1\n[[package]]\nname = "accelerate"\nversion = "0.33.0"\n'
        'source = { registry = "https://pypi.org/simple" }\n'
    )
    code, told = WRONG[arguments]
    ended = check(*arguments, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert told in " ".join(ended.stderr.split())
    assert "remedy: " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.environments
def test_what_no_index_has_cannot_be_installed(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("accelerate==0.33.0\ntorch<1\n")
    ended = check("--from", "requirements.txt", "--to", NEW, folder=tmp_path)
    assert ended.returncode == 3
    assert "requirements.txt cannot be installed with Python 3.11: " in ended.stderr
    assert "remedy: " in ended.stderr


@pytest.mark.environments
def test_a_checkpoint_of_ones_own_between_two_files(tmp_path: Path) -> None:
    """The founding case, from requirements to answer: nothing worse, and the repair is whole."""
    for name, line in (("old.txt", OLD), ("new.txt", NEW)):
        (tmp_path / name).write_text("\n".join(line.split()))
    sides = ("--from", str(tmp_path / "old.txt"), "--to", str(tmp_path / "new.txt"))
    ended = check(*sides, "--checkpoint", str(LORA), "--device", "cpu", "--json")
    answer = json.loads(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert answer["answer"] == "go"
    assert answer["scenarios"] == ["kohya-lora", LORA.name]
    assert answer["forward"]["better"] == ["kohya-lora", LORA.name]
    assert [choice["kind"] for choice in answer["choices"]] == ["remedy", "remedy", "all-at-once"]
    assert answer["choices"][0]["exact"] == ["kohya-lora", LORA.name]
    assert answer["back"]["worse"] == ["kohya-lora"]
    assert answer["from"]["accelerate"] == "0.33.0"
    assert answer["compared"]["to"]["packages"]
    assert answer["alike"] is False
    # The way back as an upgrade: it breaks, and what keeps it from it is measured.
    ended = check(*reversed_sides(sides), "--scenario", "kohya-lora", "--markdown")
    assert ended.returncode == 1, ended.stderr
    assert "**Go, if you do this first: repair the checkpoint once.**" in ended.stdout
    assert "pip install accelerate==0.33.0 torch==2.13.0 numpy==1.26.4" in ended.stdout
    assert "| numpy | 2.4.6 | **1.26.4** |" in ended.stdout


def reversed_sides(sides: tuple[str, ...]) -> tuple[str, ...]:
    return (sides[0], sides[3], sides[2], sides[1])
