"""The exceptions that are predicted for damaged files are those that loading them really raises."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.prediction import Prediction, predict
from ckptmatrix.cli import main
from ckptmatrix.model import Status
from tests.support.environments import python_of
from tests.support.places import NEWEST_BASIC, ROOT

pytestmark = pytest.mark.environments

ENVIRONMENTS = {
    ("1.15.0", "torch2.15-np2"): ("2.15.0", "2.4.6"),
    ("0.33.0", "torch2.4-np1"): ("2.4.1", "1.26.4"),
}
"""Release and stack -> torch and numpy."""
FILES = (
    *("model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl"),
    "custom_checkpoint_0.pkl",
)
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "a pointer of LFS": lambda data: (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1465\n"
    ),
    "a page": lambda data: b"<!DOCTYPE html><html><body>404: Not Found</body></html>\n" * 20,
    "JSON": lambda data: b'{"error": "Entry not found"}',
    "zeros": lambda data: bytes(len(data)),
    "a few zeros": lambda data: bytes(100),
    "half": lambda data: data[: len(data) // 2],
    "all but a byte": lambda data: data[:-1],
    "the first four bytes": lambda data: data[:4],
    "its last half lost": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
}
CASES = [f"{damage} [{file}]" for damage in DAMAGES for file in FILES]


@pytest.fixture(scope="module", params=ENVIRONMENTS, ids="-".join)
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Prediction, str]]:
    """Case -> what is predicted, and what was raised."""
    release, stack = request.param
    folder = tmp_path_factory.mktemp("raised")
    python, script = python_of(release, stack), Path(__file__).parent / "raising.py"

    def run(*arguments: object) -> str:
        done = subprocess.run(
            [python, script, *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            cwd=folder,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run("save", folder / "sound")
    places = {case: folder / str(number) for number, case in enumerate(["sound", *CASES])}
    for case, place in places.items():
        shutil.copytree(folder / "sound", place)
        if case != "sound":
            damage, _, file = case.removesuffix("]").partition(" [")
            path = place / file
            path.write_bytes(DAMAGES[damage](path.read_bytes()))
    raised = json.loads(run("load", *places.values()).splitlines()[-1])
    versions = ENVIRONMENTS[request.param]
    return {
        case: (predict(gather(place), release, *versions), raised[str(place)])
        for case, place in places.items()
    }


@pytest.mark.parametrize("case", ["sound", *CASES])
def test_what_is_predicted_is_raised(answers: dict[str, tuple[Prediction, str]], case: str) -> None:
    predicted, raised = answers[case]
    assert predicted.status is not Status.NOT_RUN, predicted.reason
    assert (predicted.status is Status.FAILED) == bool(raised), (predicted, raised)
    assert raised.startswith(predicted.raises.rpartition(".")[2]), (predicted.raises, raised)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["a pointer of LFS", "half"])
def test_try_names_the_file(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    damage: str,
) -> None:
    directory = tmp_path / "state"
    shutil.copytree(NEWEST_BASIC, directory)
    (directory / file).write_bytes(DAMAGES[damage]((directory / file).read_bytes()))
    config = str(ROOT / "matrix.toml")
    arguments = ["try", str(directory), "--config", config, "--tier", "smoke"]
    monkeypatch.setattr("sys.argv", ["ckptmatrix", *arguments])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert file in capsys.readouterr().err
