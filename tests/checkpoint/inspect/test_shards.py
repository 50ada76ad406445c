"""Checkpoints of sharded training, written by torch itself: harmless, and complete or not."""

import shutil
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.format.file_fact import Reading
from ckptmatrix.checkpoint.format.safety import Rating
from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.checkpoint.inspect.provenance import About
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp
from ckptmatrix.errors import UsageError
from ckptmatrix.measure.directory.refusals import refuse
from ckptmatrix.model import Status, Verdict
from tests.support.places import NEWEST_BASIC
from tests.support.sharded import WEIGHTS, WRITERS, write_shards
from tests.support.torch_files import torch_file

pytestmark = pytest.mark.environments


@pytest.fixture(scope="module", params=WRITERS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards, and what else accelerate saves."""
    return write_shards(request.param, tmp_path_factory.mktemp("sharded"))


@pytest.fixture
def sharded(written: Path, tmp_path: Path) -> Path:
    """A copy to be put wrong."""
    return Path(shutil.copytree(written, tmp_path / "state"))


def test_what_torch_writes_is_harmless(sharded: Path) -> None:
    one = inspect(sharded)
    assert one.stack.id == "accelerate-fsdp"
    assert (one.dangerous, one.problems, one.globals[Rating.UNKNOWN]) == ((), (), {})
    assert {file.reading for file in one.facts.files} == {Reading.READ}
    named = set(one.globals[Rating.HARMLESS])
    assert {"pathlib.PosixPath", "torch._tensor._rebuild_from_type_v2"} <= named
    newest = one.outlook[0].outcome
    assert newest.status is Status.NOT_RUN
    assert "gathered and in shards" in newest.reason
    (sharded / "pytorch_model_fsdp.bin").unlink()
    alone = inspect(sharded)
    assert [seen.conclusion for seen in alone.evidence if seen.about is About.FSDP] == [
        "FSDP1 or FSDP2"
    ]
    assert {box.fsdp for box in alone.outlook} == set(Fsdp)


def test_try_sends_to_ones_own_script(sharded: Path) -> None:
    with pytest.raises(UsageError, match="shards of distributed training"):
        refuse(inspect(sharded), (), trust=False)


def test_a_part_names_the_directory_for_load_state(sharded: Path) -> None:
    one = inspect(sharded / WEIGHTS)
    assert one.stack.id == "torch-distributed"
    assert str(sharded.resolve()) in one.note
    assert inspect(sharded).facts.above == ""


def test_a_shard_that_is_missing_or_short_is_named(sharded: Path) -> None:
    shard = sharded / WEIGHTS / "__0_0.distcp"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    one = inspect(sharded)
    assert any(f"{WEIGHTS}/__0_0.distcp is shorter" in said for said in one.problems)
    shard.write_bytes(data + b"x")
    one = inspect(sharded)
    assert any(f"{WEIGHTS}/__0_0.distcp holds more" in said for said in one.problems)
    shard.unlink()
    one = inspect(sharded)
    (said,) = one.problems
    assert said.startswith(f"{WEIGHTS}/.metadata names __0_0.distcp, which is not there")
    assert one.dangerous == ()


def test_shards_without_their_metadata_are_unread(sharded: Path) -> None:
    (sharded / WEIGHTS / ".metadata").unlink()
    one = inspect(sharded)
    assert any("no .metadata describes" in said for said in one.problems)
    assert one.dangerous == (f"{WEIGHTS}/__0_0.distcp",)


def test_the_parts_of_deepspeed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    engine = state / "pytorch_model"
    engine.mkdir(parents=True)
    for path in NEWEST_BASIC.glob("random*.pkl"):
        shutil.copy(path, state)
    sound = (NEWEST_BASIC / "scheduler.bin").read_bytes()
    for rank in range(2):
        name = f"bf16_zero_pp_rank_{rank}_mp_rank_00_optim_states.pt"
        (engine / name).write_bytes(sound)
    weights = engine / "mp_rank_00_model_states.pt"
    weights.write_bytes(torch_file({"lr_scheduler": None}))
    (state / "adapter_model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    one = inspect(state)
    assert (one.stack.id, one.problems, one.dangerous) == ("accelerate-deepspeed", (), ())
    newest = one.outlook[0].outcome
    assert (newest.status, newest.components["optimizer"]) == (Status.EXACT, Verdict.RESTORED)
    assert str(state.resolve()) in inspect(engine).note
    weights.unlink()
    assert "no mp_rank_00_model_states.pt" in inspect(state).problems[0]
    weights.write_bytes(sound)
    (engine / "bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt").unlink()
    assert "shard of rank 0 is missing" in inspect(state).problems[0]
