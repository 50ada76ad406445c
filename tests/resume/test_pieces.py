"""The parts of `resume.py` by themselves, in `pieces_*.py`, with an old torch and a new one."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.environments import python_of
from tests.support.places import ROOT

pytestmark = pytest.mark.environments

ENVIRONMENTS = {"0.24.1": "torch2.4-np1", "1.15.0": "torch2.15-np2"}
SCRIPTS = ("pieces_named.py", "pieces_counted.py", "pieces_read.py", "pieces_fitted.py")


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def pieces(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Name of a piece -> what it came to, by case."""
    folder = tmp_path_factory.mktemp("pieces")
    shutil.copy(ROOT / "src" / "ckptmatrix" / "resume.py", folder)
    for name in ("answering.py", *SCRIPTS):
        shutil.copy(Path(__file__).parent / name, folder)
    python = python_of(request.param, ENVIRONMENTS[request.param])
    answers: dict[str, Any] = {}
    for script in SCRIPTS:
        done = subprocess.run(
            [python, folder / script],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)},
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        answers |= json.loads(done.stdout)
    return answers


def test_a_name_says_component_and_number(pieces: dict[str, Any]) -> None:
    assert pieces["names"] == {
        "model.safetensors": ["model", 0, "model"],
        "pytorch_model_2.bin": ["model", 2, "model_2"],
        "optimizer.bin": ["optimizer", 0, "optimizer"],
        "scheduler_1.bin": ["scheduler", 1, "scheduler_1"],
        "scaler.pt": ["scaler", 0, "scaler"],
        "dl_state_dict.bin": ["dataloader", 0, "dataloader"],
        "sampler.bin": ["sampler", 0, "sampler"],
        "random_states_3.pkl": ["rng", 3, "rng_3"],
        "custom_checkpoint_0.pkl": ["custom", 0, "custom_0"],
        "optimizer.pt": None,
        "random_states.pkl": None,
        "model_1.safetensors.tmp": None,
        "optimizer_x.bin": None,
        "xoptimizer.bin": None,
        "optimizer_1.bin.bak": None,
        "scaler_1.pt": None,
    }


def test_names_are_made_as_they_are_read(pieces: dict[str, Any]) -> None:
    made = pieces["names_made"]
    assert made["model 0"] == ["model.safetensors", "pytorch_model.bin"]
    assert made["model 2"] == ["model_2.safetensors", "pytorch_model_2.bin"]
    assert made["rng 0"] == ["random_states_0.pkl"]
    assert made["optimizer 0"] == ["optimizer.bin"]
    assert made["scaler 2"] == ["scaler.pt"]


def test_only_files_of_the_directory_are_answered(pieces: dict[str, Any]) -> None:
    answered = {title for title, own in pieces["files_asked_for"].items() if own}
    assert answered == {"its own", "its own, as text"}


def test_a_missing_file_of_another_process_is_said_so(pieces: dict[str, Any]) -> None:
    others = "random_states_1.pkl is missing; the directory has states of 1 process(es)"
    assert pieces["why_lost"] == {
        "alone": "random_states_1.pkl is missing",
        "others": others,
        "another kind": "optimizer.bin is missing",
        "another error": "optimizer.bin can't be read: no space",
        "names it": "optimizer.bin is bad",
    }


def test_files_in_the_order_in_which_they_were_written(pieces: dict[str, Any]) -> None:
    assert {title for title, true in pieces["order"].items() if true} == {
        "a b",
        "a b c",
        "a b missing",
    }


def test_a_count_in_the_unit_of_the_release_that_reads(pieces: dict[str, Any]) -> None:
    """Out of 3 updates, of 4 micro-batches each."""
    assert pieces["counts"] == {
        "updates, read as such": 3,
        "micro-batches of an early release": 3,
        "updates of an early release": 3,
        "an update before its time, at the end of the data": 3,
        "in the middle of a round": 13,
        "micro-batches of a late release": 12,
        "updates, read as micro-batches": None,
        "the same, after an update": 12,
        "the same, in a round": 3,
        "micro-batches, read as such": 12,
        "nothing yet": 0,
    }


def test_what_shows_the_unit(pieces: dict[str, Any]) -> None:
    """Updates, micro-batches, whether after an update, early, counted here in updates."""
    assert pieces["progress"] == {
        "early": [3, 12, None, True, True],
        "with safetensors": [3, 12, None, False, True],
        "with a step": [3, 12, True, False, True],
        "in a round": [3, 12, False, False, True],
        "two processes": [6, 24, None, True, True],
        "split batches": [3, 12, None, True, True],
        "read by 0.15": [3, 12, None, True, False],
        "no accumulation": None,
        "stepped by the script": None,
        "other processes": None,
        "plain SGD": [0, 0, None, True, True],
    }


def test_a_scheduler_is_counted_anew_or_lost(pieces: dict[str, Any]) -> None:
    state = {"last_epoch": 3, "_step_count": 4, "x": 1}
    unknown = "scheduler.bin counts optimizer steps, this release micro-batches, and no file tells"
    found = pieces["recounted"]
    assert found["as it is"] == [state, None]
    assert found["anew"] == [state, ["restored", "scheduler.bin, its 12 steps as 3"]]
    assert found["unknown"] == [state, ["lost", unknown + " those"]]
    assert found["alike"] == [{"last_epoch": 12, "_step_count": 13, "x": 1}, None]


def test_what_is_harmless_is_read(pieces: dict[str, Any]) -> None:
    assert set(pieces["harmless_files"].values()) == {True}


REFUSED = {
    "function": "function.bin names io.open, which is not on the allow list",
    "class": "class.bin names __main__.Own, which is not on the allow list",
    "dtype of objects": "numpy dtype O8 is not allowed",
    "no archive": "pickle.bin is damaged or not written by torch 1.6 or newer",
    "TorchScript": "script.bin is an archive of another kind than torch.save writes",
    "packed": "packed.bin is an archive of another kind than torch.save writes",
    "beyond its record": "short.bin is truncated or damaged: record data/0",
    "another codec": "encoding rot_13 is not allowed",
    "changes a class": "build.bin changes <class 'torch.Size'>",
    "no pickle": "empty.bin is damaged: EOFError",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_is_refused(pieces: dict[str, Any], case: str) -> None:
    kind, message = pieces["refused_files"][case]
    assert (kind, message[: len(REFUSED[case])]) == ("UnsafeFileError", REFUSED[case])


def test_a_file_that_can_not_be_opened_is_no_unsafe_one(pieces: dict[str, Any]) -> None:
    assert pieces["refused_files"]["no file"][0] == "FileNotFoundError"
    assert pieces["refused_files"]["good"] == [1.0] * 4


def test_nothing_was_run(pieces: dict[str, Any]) -> None:
    assert pieces["refused_files"]["was run"] is False


def test_what_the_caller_allows_is_read(pieces: dict[str, Any]) -> None:
    """And the user's environment variable for torch.load stays as it is."""
    found = dict(pieces["allowed_files"])
    assert found.pop("with weights only forced") == [0, 1]
    assert found.pop("the variable") == "1"
    assert set(found.values()) == {True}


def test_safetensors_as_they_are(pieces: dict[str, Any]) -> None:
    found = pieces["safetensors_files"]
    assert found["whole"] == {"a": [1.0, 2.0]}
    assert found["empty tensor"] == [0, 3]
    assert found["types"] == []


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no header", "truncated or damaged: 4 bytes"),
        ("short header", "truncated or damaged: its header"),
        ("no JSON", "truncated or damaged: its header"),
        ("no object", "truncated or damaged: its header"),
        ("another type", "at a: this torch has no dtype for F4"),
        ("too short", "truncated or damaged at a"),
        ("another size", "truncated or damaged at a"),
    ],
)
def test_safetensors_that_are_damaged(pieces: dict[str, Any], case: str, message: str) -> None:
    kind, said = pieces["safetensors_files"][case]
    assert kind == "UnsafeFileError"
    assert message in said


def test_names_and_tied_weights_are_fitted(pieces: dict[str, Any]) -> None:
    prefix = ", torch.compile's prefix changed"
    compiled = ["_orig_mod.head", "_orig_mod.x", "_orig_mod.y"]
    assert pieces["weights_fitted"] == {
        "as it is": [["head", "view", "x", "y"], ""],
        "tied": [["head", "x", "y"], ", tied: x"],
        "prefix taken": [["x", "y"], prefix],
        "prefix given": [compiled, f"{prefix}, tied: _orig_mod.head"],
        "unknown": [["z"], ""],
        "without memory": [["x"], ""],
    }


def test_random_states_are_set_and_compared(pieces: dict[str, Any]) -> None:
    assert pieces["random_streams"] == {
        "rng.python": ["restored", "FILE", True],
        "rng.numpy": ["restored", "FILE", True],
        "rng.torch": ["restored", "FILE", True],
        "python, as lists": "restored",
        "no state": "lost",
        "not set": ["lost", "restored"],
        "in part": ["restored", "FILE, 1 of 2"],
    }


def test_step_is_saved_given_or_not_there(pieces: dict[str, Any]) -> None:
    never = "random_states_0.pkl has none: written before accelerate 0.32.0; give step= to set it"
    assert pieces["steps"] == {
        "saved": [5, "restored", "random_states_0.pkl"],
        "both": [5, "restored", "random_states_0.pkl"],
        "given": [7, "restored", "the argument step"],
        "given, unread": [7, "restored", "the argument step"],
        "unread": [99, "lost", "damaged"],
        "neither": [99, "unsaved", never],
    }


def test_automatic_naming_goes_on(pieces: dict[str, Any]) -> None:
    assert pieces["naming"] == {
        "automatic": [7, True],
        "by hand": [0, False],
        "another name": [0, False],
    }


def test_the_latest_is_taken_by_its_number(pieces: dict[str, Any]) -> None:
    found = pieces["latest"]
    assert found["of two"] == "checkpoint_10"
    assert found["of none"] == "ResumeError"
    assert found["no directory"][1].endswith(
        "is not a directory, so there is nothing to resume from."
    )
