"""Repaired copies of sharded training: every shard is carried over, or nothing is written."""

import json
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError, DangerousError
from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.checkpoint.repair import repair
from tests.checkpoint.hostile.cases import CASES
from tests.checkpoint.hostile.sharded_cases import INDEX, PART, SHARD, TAG, in_parts, sharded
from tests.support.places import NEWEST_BASIC
from tests.support.sharded import WRITERS, run_alone, write_shards


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A plain checkpoint, to which shards are added."""
    directory = tmp_path / "state"
    directory.mkdir()
    for path in NEWEST_BASIC.iterdir():
        (directory / path.name).write_bytes(path.read_bytes())
    return directory


@pytest.mark.environments
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer[1])
def test_what_torch_wrote_is_whole_in_the_copy(writer: tuple[str, str], tmp_path: Path) -> None:
    source, copy = write_shards(writer, tmp_path), tmp_path / "copy"
    report = repair(source, copy)
    before, after = contents(source), contents(copy)
    shards = {name for name in before if "/" in name or name.startswith("pytorch_model_fsdp")}
    assert len(shards) == 5
    assert set(before) == set(after)
    assert all(before[name] == after[name] for name in shards)
    assert shards <= set(report.carried)
    assert "left out" not in {change.what for change in report.changes}
    one = inspect(copy)
    assert (one.stack.id, one.problems, one.dangerous) == ("accelerate-fsdp", (), ())
    script = Path(__file__).parent / "reading_shards.py"
    read = json.loads(run_alone(writer, script, copy))
    assert read == {"0.weight": 12, "0.bias": 0, "1.weight": 96, "step": 3, "exp_avg": 12}


def test_shards_and_their_index_are_copied_as_they_are(state: Path, tmp_path: Path) -> None:
    sharded(state)
    copy = tmp_path / "copy"
    report = repair(state, copy)
    assert {SHARD, INDEX} <= set(report.carried)
    assert contents(copy)[SHARD] == contents(state)[SHARD]


def test_parts_of_deepspeed_are_copied_with_the_name_of_their_folder(
    state: Path, tmp_path: Path
) -> None:
    in_parts(state)
    (state / "zero_to_fp32.py").write_text("import os")
    report = repair(state, tmp_path / "copy")
    assert {PART, TAG} <= set(report.carried)
    assert [c.file for c in report.changes if c.what == "left out"] == ["zero_to_fp32.py"]


def test_the_name_of_a_folder_elsewhere_is_left_out(state: Path, tmp_path: Path) -> None:
    in_parts(state, tag="../outside")
    report = repair(state, tmp_path / "copy")
    assert PART in report.carried
    assert [c.file for c in report.changes if c.what == "left out"] == [TAG]


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [
        ("a shard that runs", SHARD, DangerousError),
        ("a .metadata that runs", INDEX, DangerousError),
        ("a part that runs", PART, DangerousError),
        ("a .metadata of a missing shard", INDEX, DamagedError),
        ("a shard cut", SHARD, DamagedError),
        ("a shard that is a link out", SHARD, DamagedError),
    ],
)
def test_without_a_part_of_the_state_nothing_is_written(
    state: Path, tmp_path: Path, name: str, file: str, kind: type[Exception]
) -> None:
    CASES[name].make(state)
    with pytest.raises(kind, match=file.replace(".", r"\.")):
        repair(state, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_shard_in_a_folder_that_nobody_knows_is_left_out(state: Path, tmp_path: Path) -> None:
    CASES["a shard that runs"].make(state)
    (state / "optimizer_0").rename(state / "mine")
    report = repair(state, tmp_path / "copy")
    left_out = {change.file for change in report.changes if change.what == "left out"}
    assert "mine/__0_0.distcp" in left_out
    assert not (tmp_path / "copy" / "mine" / "__0_0.distcp").exists()
