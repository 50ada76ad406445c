"""`load_state` in real environments: old files in new releases and the reverse, and bad files."""

import json
import os
import pickle
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.environments import python_of
from tests.support.places import ROOT

pytestmark = pytest.mark.environments

Loaded = dict[tuple[str, str], Any]
"""(reader, job) -> answer."""

ENVIRONMENTS = {
    "0.24.1": "torch2.4-np1",  # .bin alone, no step; torch without numpy's other name
    "0.33.0": "torch2.15-np1",  # raises KeyError: 'step' on its own files
    "1.15.0": "torch2.15-np2",  # drops what the other numpy wrote
}
STATES = ("kohya", "tied", "custom", "seedable")
PAIRS = [(writer, reader) for writer in ENVIRONMENTS for reader in ENVIRONMENTS]


def run(release: str, *arguments: object, path: Path) -> Any:
    """Answer of `training.py`, with nothing of this package but the one file beside it."""
    shutil.copy(ROOT / "src" / "ckptmatrix" / "resume.py", path / "resume.py")
    shutil.copy(Path(__file__).parent / "training.py", path / "training.py")
    python = python_of(release, ENVIRONMENTS[release])
    done = subprocess.run(
        [python, path / "training.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def truth(place: Path) -> dict[str, Any]:
    """What each release saved, by state; the checkpoints lie in `place / release / state`."""
    return {release: run(release, "save", place / release, path=place) for release in ENVIRONMENTS}


class Faults:
    """Copies of a checkpoint with something wrong, by name."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.mark = place / "was-run"

    def make(self) -> dict[str, tuple[str, Path]]:
        made = {}
        for name in ("no_scheduler", "short_optimizer", "short_weights", "no_random_states"):
            made[name] = ("kohya", self.copy("kohya", name))
        for name in ("hostile", "hostile_random", "one_more", "one_less", "stale"):
            made[name] = ("custom", self.copy("custom", name))
        (made["no_scheduler"][1] / "scheduler.bin").unlink()
        self.shorten(made["short_optimizer"][1] / "optimizer.bin")
        self.shorten(made["short_weights"][1] / "model.safetensors")
        (made["no_random_states"][1] / "random_states_0.pkl").unlink()
        self.poison(made["hostile"][1] / "custom_checkpoint_0.pkl")
        self.poison(made["hostile_random"][1] / "random_states_0.pkl")
        custom = made["one_more"][1] / "custom_checkpoint_0.pkl"
        shutil.copy(custom, custom.with_name("custom_checkpoint_1.pkl"))
        (made["one_less"][1] / "custom_checkpoint_0.pkl").unlink()
        self.stale(made["stale"][1])
        return made

    def copy(self, state: str, name: str) -> Path:
        return Path(shutil.copytree(self.place / "1.15.0" / state, self.place / "faults" / name))

    def shorten(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-100])

    def poison(self, path: Path) -> None:
        """Replace the pickle by one that makes a directory when it is run."""
        code = b"cos\nmkdir\n" + pickle.dumps((str(self.mark),), 2)[2:-1] + b"R."
        with zipfile.ZipFile(path) as old:
            entries = [(info.filename, old.read(info)) for info in old.infolist()]
        with zipfile.ZipFile(path, "w") as new:
            for name, content in entries:
                new.writestr(name, code if name.endswith("data.pkl") else content)

    def stale(self, directory: Path) -> None:
        """Weights of the older release beside those that belong here, saved before them."""
        other = self.place / "0.24.1" / "custom" / "pytorch_model.bin"
        shutil.copy(other, directory)
        for second, name in enumerate(("pytorch_model.bin", "model.safetensors", "optimizer.bin")):
            os.utime(directory / name, (second + 1000, second + 1000))


@pytest.fixture(scope="module")
def loaded(place: Path, truth: dict[str, Any]) -> Loaded:
    """(reader, job) -> answer; jobs are `writer/state`, or `fault` and `fault, not strict`."""
    jobs = {
        f"{writer}/{state}": {
            "directory": f"{place / writer / state}",
            "state": state,
            "arguments": {},
        }
        for writer in ENVIRONMENTS
        for state in STATES
    }
    for name, (state, path) in Faults(place).make().items():
        job = {"directory": str(path), "state": state}
        jobs[name] = {**job, "arguments": {}}
        jobs[f"{name}, not strict"] = {**job, "arguments": {"strict": False}}
    jobs["given step"] = {**jobs["0.24.1/tied"], "arguments": {"step": 5}}
    (place / "jobs.json").write_text(json.dumps(list(jobs.values())))
    answers = {}
    for reader in ENVIRONMENTS:
        found = run(reader, "load", place / "jobs.json", path=place)
        answers.update({(reader, name): a for name, a in zip(jobs, found, strict=True)})
    assert not (place / "was-run").exists()
    return answers


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
@pytest.mark.parametrize("state", STATES)
def test_everything_in_the_directory_comes_back(
    loaded: Loaded, truth: dict[str, Any], writer: str, reader: str, state: str
) -> None:
    answer = loaded[reader, f"{writer}/{state}"]
    assert answer["error"] is None
    expected = dict(truth[writer][state])
    if state != "custom":
        expected["custom"] = answer["before"]["custom"]
    if writer == "0.24.1":
        expected["step"] = answer["before"]["step"]
        assert answer["report"]["step"][0] == "unsaved"
    assert answer["before"] != expected
    assert {n for n in expected if answer["after"][n] != expected[n]} == set()
    assert {status for status, _ in answer["report"].values()} <= {"restored", "unsaved"}


@pytest.mark.parametrize("reader", ENVIRONMENTS)
def test_hooks_run_and_take_models_out(loaded: Loaded, reader: str) -> None:
    answer = loaded[reader, "1.15.0/kohya"]
    assert answer["hook"] == {"current_epoch": 30, "current_step": 360}
    assert "model_1" not in answer["report"]


@pytest.mark.parametrize("reader", ENVIRONMENTS)
def test_tied_weights_that_the_file_left_out_are_named(loaded: Loaded, reader: str) -> None:
    status, how = loaded[reader, "1.15.0/tied"]["report"]["model"]
    assert (status, "tied: head.weight" in how) == ("restored", True)


@pytest.mark.parametrize("reader", ENVIRONMENTS)
def test_nothing_is_left_changed(loaded: Loaded, reader: str) -> None:
    assert all(answer["as it was"] for (r, _), answer in loaded.items() if r == reader)


LOST = {
    "no_scheduler": ("scheduler", "scheduler.bin is missing"),
    "short_optimizer": ("optimizer", "optimizer.bin is damaged"),
    "short_weights": ("model", "model.safetensors is truncated or damaged"),
    "no_random_states": ("step", "random_states_0.pkl is missing"),
    "hostile": ("custom_0", "os.mkdir"),
    "hostile_random": ("rng.torch", "os.mkdir"),
    "one_more": ("custom_1", "2 custom objects are saved, the script registers 1"),
    "one_less": ("custom_0", "0 custom objects are saved, the script registers 1"),
}


@pytest.mark.parametrize("reader", ENVIRONMENTS)
@pytest.mark.parametrize("fault", LOST)
def test_what_is_lost_is_said_and_nothing_else_is(
    loaded: Loaded, truth: dict[str, Any], reader: str, fault: str
) -> None:
    component, reason = LOST[fault]
    strict = loaded[reader, fault]
    assert f"{component}: " in strict["error"]
    assert reason in strict["error"]
    answer = loaded[reader, f"{fault}, not strict"]
    assert answer["report"][component][0] == "lost"
    lost = {name.split("_")[0] for name, part in answer["report"].items() if part[0] == "lost"}
    if fault == "one_more":
        lost.remove("custom")  # the one that both sides have is restored
    state = "kohya" if reason.split()[0] in ("scheduler.bin", "optimizer.bin") else "custom"
    state = "kohya" if fault in ("short_weights", "no_random_states") else state
    for name, value in truth["1.15.0"][state].items():
        if name == "custom" and state == "kohya":
            continue
        expected = answer["before"][name] if name in lost else value
        assert answer["after"][name] == expected, name


@pytest.mark.parametrize("reader", ENVIRONMENTS)
def test_the_later_of_two_weight_files_is_taken(
    loaded: Loaded, truth: dict[str, Any], reader: str
) -> None:
    answer = loaded[reader, "stale"]
    assert answer["error"] is None
    assert answer["after"]["model"] == truth["1.15.0"]["custom"]["model"]


@pytest.mark.parametrize("reader", ENVIRONMENTS)
def test_a_step_that_was_never_saved_can_be_given(loaded: Loaded, reader: str) -> None:
    assert loaded[reader, "given step"]["report"]["step"] == ["restored", "the argument step"]


@pytest.mark.parametrize("reader", ENVIRONMENTS)
def test_what_no_file_can_hold_is_warned_of(loaded: Loaded, reader: str) -> None:
    assert loaded[reader, "1.15.0/tied"]["warned"] == []
    (warned,) = loaded[reader, "0.24.1/tied"]["warned"]
    assert "step" in warned
    assert "dataloader" not in warned


def test_a_seedable_sampler_is_warned_of(loaded: Loaded) -> None:
    answer = loaded["1.15.0", "1.15.0/seedable"]
    assert answer["report"]["dataloader"][0] == "unsaved"
    assert "set_epoch" in answer["warned"][0]
