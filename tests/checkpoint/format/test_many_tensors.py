"""A real checkpoint of 45,000 tensors is read to its end, by every reader."""

import shutil
from pathlib import Path

import pytest

from ckptmatrix import doctor
from ckptmatrix.checkpoint.format import rewriting_archives
from ckptmatrix.checkpoint.format.file_fact import Reading
from ckptmatrix.checkpoint.inspect.gathering import gather
from tests.support.places import NEWEST, ROOT
from tests.support.sharded import run_alone

TENSORS = 45_000


@pytest.mark.environments
def test_many_tensors(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    for file in (ROOT / "src/ckptmatrix/resume.py", Path(__file__).parent / "many_tensors.py"):
        shutil.copy(file, tmp_path)
    path = state / "optimizer.bin"
    environment = (NEWEST.accelerate, NEWEST.stack)
    said = run_alone(environment, tmp_path / "many_tensors.py", path, str(TENSORS))
    assert int(said) == TENSORS
    facts = gather(state)
    assert [(file.reading, file.problem) for file in facts.files] == [(Reading.READ, "")]
    assert facts.optimizers[0].parameters == TENSORS // 3
    archive = rewriting_archives.read(path)
    assert archive.opcodes > 1_000_000
    assert len(archive.storages) == TENSORS
    assert not doctor.look_through(path).refusal
