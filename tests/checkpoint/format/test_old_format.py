"""Files in torch's format from before 1.6 load well, and are inspected, predicted and repaired as
any others are."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.format import rewriting_archives, rewriting_pickles
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.checkpoint.inspect.prediction import predict
from ckptmatrix.checkpoint.repair import repair
from ckptmatrix.model import Status
from tests.support.environments import python_of
from tests.support.places import NEWEST

pytestmark = pytest.mark.environments

HERE = Path(__file__).parent
LOADING = HERE.parent / "inspect" / "raising.py"
VERSIONS = ("1.15.0", "2.15.0", "2.4.6")
"""accelerate, torch and numpy of `NEWEST`."""


def in_environment(*arguments: object) -> str:
    """What a script of the tests prints there."""
    done = subprocess.run(
        [python_of(NEWEST.accelerate, NEWEST.stack), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as it is written."""
    folder = tmp_path_factory.mktemp("formats") / "new"
    in_environment(LOADING, "save", folder)
    return folder


@pytest.fixture(scope="module")
def old(new: Path) -> Path:
    """The same one in the old format."""
    folder = Path(shutil.copytree(new, new.with_name("old")))
    in_environment(HERE / "making_old.py", folder)
    return folder


def test_they_are_read_to_their_end(new: Path, old: Path) -> None:
    one, other = inspect(old), inspect(new)
    assert (one.problems, one.dangerous) == ((), ())
    assert {file.name for file in one.facts.files if file.old} == {
        file.name for file in one.facts.files if not file.name.endswith(".safetensors")
    }
    assert one.facts.optimizers == other.facts.optimizers
    assert one.facts.schedulers == other.facts.schedulers
    assert one.facts.random == other.facts.random
    assert one.globals == other.globals


def test_they_load_as_is_predicted(old: Path) -> None:
    raised = json.loads(in_environment(LOADING, "load", old))
    assert raised == {str(old): ""}
    assert predict(gather(old), *VERSIONS).status is Status.EXACT


def values(path: Path) -> object:
    """What a file of torch's holds, with the numbers in place of the storages."""
    archive = rewriting_archives.read(path)

    def numbers(storage: rewriting_pickles.Storage) -> bytes:
        return b"".join(archive.chunks(storage.key))

    return rewriting_pickles.normal(archive.root, numbers)


def test_they_are_repaired_to_the_same_files(new: Path, old: Path, tmp_path: Path) -> None:
    repair(old, tmp_path / "old")
    repair(new, tmp_path / "new")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert {path.name for path in (tmp_path / "old").iterdir()} == names
    for name in names:
        if name.endswith((".bin", ".pkl")):
            assert values(tmp_path / "old" / name) == values(tmp_path / "new" / name)
    loaded = in_environment(LOADING, "load", tmp_path / "old")
    assert list(json.loads(loaded).values()) == [""]
