"""The shipped scenarios that are like a directory, over directories that real releases wrote."""

import json
import shutil
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.measure.directory.belonging import (
    _BY_STACK,
    _FSDP,
    _TRAITS,
    _ZERO,
    COMMON,
    belonging,
)
from ckptmatrix.plan.config import read_config
from tests.support.places import BY_TRAINING_STACK, MANIFESTS, NEWEST_BASIC, ROOT, TO_REPAIR
from tests.support.torch_files import torch_file

KNOWN = frozenset(read_config(ROOT / "matrix.toml").scenarios)
EXPECTED = {
    BY_TRAINING_STACK / "lora-000030-state": {"kohya-lora"},
    BY_TRAINING_STACK / "plain-1.15.0-torch2.13-numpy2": {"basic", "custom-objects"},
    TO_REPAIR / "kohya-0.33.0": {"kohya-lora"},
    TO_REPAIR / "tied-0.24.1": {"basic", "custom-objects", "bin-weights", "tied-weights"},
    TO_REPAIR / "two-models-1.15.0": {"basic", "custom-objects", "two-models"},
}


@pytest.mark.parametrize("directory", EXPECTED, ids=lambda one: one.name)
def test_what_a_directory_shows_chooses_its_scenarios(directory: Path) -> None:
    found = belonging(inspect(directory), KNOWN)
    assert set(found) == EXPECTED[directory]
    assert all(found.values())


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda one: one.parent.parent.name)
def test_what_a_scenario_wrote_leads_back_to_it(manifest: Path) -> None:
    told = json.loads(manifest.read_text(encoding="utf-8"))
    directory = manifest.parent / told["directory"]
    own = manifest.parent.parent.name
    # safetensors has dropped one of two tied names, and with it what shows that there were two.
    shown = own if own != "tied-weights" or (directory / "pytorch_model.bin").exists() else "basic"
    assert shown in belonging(inspect(directory), KNOWN)


def test_sharded_training_is_answered_by_sharded_training_alone(tmp_path: Path) -> None:
    """A directory that two processes saved is not like one of plain data parallel training."""
    shutil.copytree(NEWEST_BASIC, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").rename(tmp_path / "kept")
    (tmp_path / "kept").unlink()
    shutil.copy(tmp_path / "random_states_0.pkl", tmp_path / "random_states_1.pkl")
    shutil.copy(tmp_path / "scheduler.bin", tmp_path / "pytorch_model_fsdp.bin")
    # In Adam's state `step` comes first, as under FSDP2.
    assert set(belonging(inspect(tmp_path), KNOWN)) == {"fsdp-2-v2"}
    (tmp_path / "pytorch_model_fsdp.bin").unlink()
    engine = tmp_path / "pytorch_model"
    engine.mkdir()
    shutil.copy(tmp_path / "scheduler.bin", engine / "mp_rank_00_model_states.pt")
    assert set(belonging(inspect(tmp_path), KNOWN)) == {"zero-1", "zero-2", "zero-3"}
    part = engine / "zero_pp_rank_0_mp_rank_00_optim_states.pt"
    part.write_bytes(torch_file({"optimizer_state_dict": {"zero_stage": 2}}))
    assert set(belonging(inspect(tmp_path), KNOWN)) == {"zero-2"}


def test_every_scenario_that_is_named_is_there() -> None:
    named = {name for names in _BY_STACK.values() for name in names}
    named |= {*_FSDP.values(), *_ZERO.values()}
    named |= {name for trait in _TRAITS for name in trait.scenarios} | set(COMMON)
    assert named <= KNOWN
    assert belonging(inspect(TO_REPAIR / "two-models-1.15.0"), frozenset({"two-models"})) == {
        "two-models": "several models"
    }
