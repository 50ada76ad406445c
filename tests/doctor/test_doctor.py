"""`doctor.py`, copied alone into real environments."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix import doctor
from ckptmatrix.cli import main
from tests.checkpoint.hostile.opcodes import archive, call
from tests.support.environments import python_of
from tests.support.places import NEWEST_BASIC, ROOT, TO_REPAIR

SCRIPT = ROOT / "src" / "ckptmatrix" / "doctor.py"
CHECKPOINTS = TO_REPAIR
SOUND = ("model", "optimizer", "scheduler")


def examine(python: Path, *arguments: object, path: Path) -> tuple[int, Any]:
    """Exit code and answer of a copy of the script."""
    shutil.copy(SCRIPT, path / "doctor.py")
    done = subprocess.run(
        [python, path / "doctor.py", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr[-3000:]
    return done.returncode, json.loads(done.stdout)


@pytest.mark.environments
def test_the_founding_directory_where_it_raised(tmp_path: Path) -> None:
    checkpoint = CHECKPOINTS / "kohya-0.33.0"
    before = {path: path.read_bytes() for path in checkpoint.iterdir()}
    code, answer = examine(python_of("0.33.0", "torch2.15-np1"), checkpoint, path=tmp_path)
    assert code == 1
    assert answer["versions"]["accelerate"] == "0.33.0"
    own = answer["own"]["plain"]
    assert "KeyError: 'step' (accelerator.py, line 3156, in load_state)" in own["error"]
    assert {own["components"][name] for name in SOUND} == {"restored"}
    assert {own["components"][n] for n in ("step", "rng.python", "rng.numpy", "rng.torch")} == {
        "lost"
    }
    [finding] = answer["directory"]["findings"]
    assert finding["effect"] == "raises"
    assert "line 3156" in finding["what"]
    assert "numpy.core.multiarray._reconstruct" in finding["cause"]
    assert "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1" in finding["remedy"]
    assert {path: path.read_bytes() for path in checkpoint.iterdir()} == before


@pytest.mark.environments
def test_a_silent_loss_and_a_repaired_copy(tmp_path: Path) -> None:
    from ckptmatrix.checkpoint.repair import repair

    python = python_of("1.15.0", "torch2.15-np2")
    code, answer = examine(python, CHECKPOINTS / "kohya-0.33.0", path=tmp_path)
    assert set(answer["own"]["plain"]["components"].values()) == {"restored"}
    assert answer["own"]["findings"] == []
    [finding] = answer["directory"]["findings"]
    assert (code, finding["effect"]) == (1, "silent")
    assert "rng.numpy" in finding["what"]
    assert "step" in finding["what"]
    repair(CHECKPOINTS / "kohya-0.33.0", tmp_path / "fixed")
    code, answer = examine(python, tmp_path / "fixed", path=tmp_path)
    assert (code, answer["directory"]["findings"]) == (0, [])


@pytest.mark.environments
def test_a_release_that_restores_neither_step_nor_safetensors(tmp_path: Path) -> None:
    python = python_of("0.24.1", "torch2.4-np1")
    code, answer = examine(python, NEWEST_BASIC, path=tmp_path)
    assert code == 1
    weights, step = answer["directory"]["findings"]
    assert weights["what"] == "load_state raises FileNotFoundError for pytorch_model.bin"
    assert (step["effect"], step["what"]) == ("silent", "not restored, without an error: step")
    assert step["cause"] == "accelerate restores step from 0.32.0 on"


@pytest.mark.environments
def test_random_states_that_are_not_there(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(NEWEST_BASIC, checkpoint)
    (checkpoint / "random_states_0.pkl").unlink()
    python = python_of("1.15.0", "torch2.15-np2")
    code, answer = examine(python, checkpoint, path=tmp_path)
    [finding] = answer["directory"]["findings"]
    assert (code, finding["effect"]) == (1, "silent")
    assert finding["what"].endswith("all random states and step")
    assert finding["cause"] == "random_states_0.pkl is missing"
    # What is printed without --json is made of that answer alone.
    told = doctor.text(answer)
    assert "Nothing is lost here." in told
    assert f"cause:  {finding['cause']}" in told


@pytest.mark.environments
def test_a_call_that_would_take_all_memory_is_not_made(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(NEWEST_BASIC, checkpoint)
    bomb = archive(call("builtins.bytearray", 6 << 30))
    (checkpoint / "random_states_0.pkl").write_bytes(bomb)
    code, answer = examine(python_of("1.15.0", "torch2.15-np2"), checkpoint, path=tmp_path)
    [finding] = answer["directory"]["findings"]
    assert (code, finding["effect"]) == (1, "unknown")
    assert "names builtins.bytearray called as no checkpoint does; not loaded" in finding["what"]


@pytest.mark.environments
def test_a_file_takes_no_more_memory_than_it_can_need(tmp_path: Path) -> None:
    """What holds should a call be made all the same: the process that loads is bounded."""
    bomb = tmp_path / "optimizer.bin"
    bomb.write_bytes(archive(call("builtins.bytearray", 6 << 30)))
    python = python_of("1.15.0", "torch2.15-np2")
    script = shutil.copy(SCRIPT, tmp_path / "doctor.py")
    done = subprocess.run(
        [python, script, "--child", "peek", bomb], capture_output=True, text=True, check=True
    )
    [line] = (line for line in done.stdout.splitlines() if line.startswith("doctor:"))
    assert json.loads(line.removeprefix("doctor:")) == {bomb.name: ["MemoryError: ", {}]}


def test_a_python_without_accelerate_has_its_own_exit_code(tmp_path: Path) -> None:
    code, answer = examine(Path(sys.executable), path=tmp_path)
    assert code == 3
    assert "No module named" in answer["own"]["crash"]


def test_the_command_passes_on_answer_and_code(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["ckptmatrix", "doctor", "--python", sys.executable])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 3
    assert "can't be run here" in capfd.readouterr().out
    monkeypatch.setattr(sys, "argv", ["ckptmatrix", "doctor", "--where"])
    main()
    assert Path(capfd.readouterr().out.strip()) == SCRIPT
