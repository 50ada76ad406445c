"""The commands of the main job, as a person calls them: help, JSON, and wrong use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ckptmatrix.cli import main
from ckptmatrix.errors import UsageError
from ckptmatrix.results.matrix_file.reading import read_matrix
from ckptmatrix.results.run_report import RunReport
from tests.support.places import BASIC_RUN, ROOT


def call(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ckptmatrix", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_help_names_every_command() -> None:
    told = call("--help").stdout
    for name in ("plan", "run", "report", "diff", "upgrade", "inspect", "explain", "repair"):
        assert name in told
    assert "score" not in told  # a tool of those who carry ckptmatrix on


def test_plan_as_json() -> None:
    ended = call("plan", "--json", "--scenario", "basic", "--accelerate", "0.33.0,1.15.0")
    plan = json.loads(ended.stdout)
    assert ended.returncode == 0
    assert len(plan["environments"]) == 6
    assert plan["cells"] == 36
    assert plan["scenarios"] == ["basic"]
    assert plan["estimated_seconds"] >= 0


def test_a_shard_of_a_plan() -> None:
    arguments = ("--scenario", "basic", "--accelerate", "0.33.0,1.15.0")
    shards = [
        json.loads(call("plan", "--json", *arguments, "--shard", f"{number}/4").stdout)
        for number in range(1, 5)
    ]
    assert [len(shard["readers"]) for shard in shards] == [2, 2, 1, 1]
    readers = [reader for shard in shards for reader in shard["readers"]]
    assert sorted(readers) == sorted(shards[0]["environments"])
    assert sum(shard["cells"] for shard in shards) == 36


def test_a_shard_learns_no_expectations() -> None:
    ended = call("run", "--shard", "1/2", "--update-expectations")
    assert ended.returncode == 2
    assert "ckptmatrix merge" in ended.stderr


def test_k_selects_cells_as_pytest_does() -> None:
    expression = "saved-0.33.0 and loaded-1.15.0 and not torch2.15"
    ended = call("plan", "--tier", "smoke", "--scenario", "basic", "-k", expression, "--cells")
    assert ended.returncode == 0
    assert "basic/saved-0.33.0+torch2.4-np1/loaded-1.15.0+torch2.4-np1" in ended.stdout
    assert "loaded-1.15.0+torch2.15" not in ended.stdout


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--tier", "huge"], "there is no tier 'huge'"),
        (["--stack", "torch1"], "there is no stack 'torch1'"),
        (["--scenario", "sleep"], "there is no scenario 'sleep'"),
        (["--loader", "magic"], "there is no loader 'magic'"),
        (["--device", "tpu"], "tpu"),
        (["--config", "missing.toml"], "cannot read"),
        (["--no-such-option"], "No such option"),
        (["--shard", "9/8"], "the third of eight"),
        (["--shard", "1/99"], "45 readers cannot be dealt out to 99 shards"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    command: str,
    wrong: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["ckptmatrix", command, *wrong])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expression", "told"),
    [("nothing-of-this-name", "selects no cell"), ("and and", "does not understand")],
)
def test_a_wrong_expression_is_told(expression: str, told: str) -> None:
    ended = call("plan", "--tier", "smoke", "-k", expression)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_outside_a_project_the_remedy_is_told(tmp_path: Path) -> None:
    ended = call("run", folder=tmp_path)
    assert ended.returncode == 2
    assert "matrix.toml" in ended.stderr
    assert "remedy" in ended.stderr


def test_a_directory_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    matrix = read_matrix(BASIC_RUN)
    with pytest.raises(UsageError, match="cannot be written to"):
        RunReport(tmp_path / "file" / "reports", tmp_path / "none").write(matrix)
