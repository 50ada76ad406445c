"""A sharded checkpoint of one's own: `check` answers by trainings like it, and does not load it."""

import shutil
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.environments.device import find_machine
from ckptmatrix.environments.pin_sources import pins_from
from ckptmatrix.environments.site import Site
from ckptmatrix.model import Device, Status
from ckptmatrix.plan.config import read_config
from ckptmatrix.plan.pinned import PinnedEnvironment, pinned_environment
from ckptmatrix.results.check.choosing import chosen_scenarios
from ckptmatrix.results.check.directory_loads import refuse_directory, with_directory
from ckptmatrix.results.check.question import Question
from ckptmatrix.results.matrix_file.reading import read_matrix
from tests.support.places import NEWEST_BASIC, ROOT, SHARDED_RUN

CONFIG = read_config(ROOT / "matrix.toml")


def _pinned(release: str) -> PinnedEnvironment:
    text = f"accelerate=={release} torch==2.15.0 numpy==2.4.6 safetensors==0.8.0"
    return pinned_environment(pins_from(text, "3.11"), {})


WAYS = {
    "FSDP": ("pytorch_model_fsdp.bin", {"fsdp-2-v2"}),
    "DeepSpeed": ("pytorch_model/mp_rank_00_model_states.pt", {"zero-1", "zero-2", "zero-3"}),
}
"""What takes it apart -> a file that shows it, and the scenarios that are like it."""


@pytest.mark.parametrize("by", WAYS)
def test_it_is_answered_by_trainings_like_it_and_not_loaded(tmp_path: Path, by: str) -> None:
    file, like = WAYS[by]
    directory = tmp_path / "mine"
    shutil.copytree(NEWEST_BASIC, directory)
    (directory / "model.safetensors").unlink()
    (directory / file).parent.mkdir(exist_ok=True)
    shutil.copy(directory / "scheduler.bin", directory / file)

    scenarios = chosen_scenarios(CONFIG, (), inspect(directory))
    assert set(scenarios) == like
    refuse_directory(directory, trust=False)
    old, new = _pinned("1.0.1"), _pinned("1.15.0")
    asked = Question(old, new, CONFIG, scenarios, find_machine(Device.CPU), directory)
    matrix = read_matrix(SHARDED_RUN)
    said: list[str] = []
    readers = (old.environment, new.environment)
    found = with_directory(matrix, asked, Site.of(CONFIG), readers, said.append)
    own = [cell for cell in found.cells if cell.scenario == "mine"]
    assert [cell.status for cell in own] == [Status.NOT_RUN, Status.NOT_RUN]
    assert all("without the model's code cannot load" in cell.reason for cell in own)
    assert said == []
