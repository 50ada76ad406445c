"""Reading whole directories: real ones, damaged ones, hostile ones, and very large ones."""

import math
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.checkpoint.format.listing import ENTRY_LIMIT
from ckptmatrix.checkpoint.inspect.gathering import gather, looks_like_checkpoint
from ckptmatrix.checkpoint.inspect.prediction import predict
from ckptmatrix.checkpoint.inspect.provenance import problems_of
from ckptmatrix.errors import UsageError
from tests.support.places import BY_TRAINING_STACK, LORA
from tests.support.torch_files import safetensors, torch_file, torch_zip


@pytest.fixture
def founding(tmp_path: Path) -> Path:
    """A copy of the founding directory that may be changed."""
    return Path(shutil.copytree(LORA, tmp_path / LORA.name))


def test_the_founding_directory() -> None:
    facts = gather(LORA)
    (model,) = facts.models
    assert (model.file, len(model.tensors), model.numel) == ("model.safetensors", 4, 58)
    (optimizer,) = facts.optimizers
    assert optimizer.candidates == ("torch.optim.Adam", "torch.optim.AdamW")
    assert (optimizer.parameters, optimizer.groups) == (4, 1)
    (scheduler,) = facts.schedulers
    assert scheduler.candidates == ("torch.optim.lr_scheduler.StepLR",)
    assert scheduler.last_epoch == 4
    (random,) = facts.random
    assert (random.step, random.numpy, random.cuda) == (360, "numpy.core", 0)
    assert facts.documents["train_state.json"] == {"current_epoch": 30, "current_step": 360}
    assert problems_of(facts) == ()
    assert facts.bytes == sum(path.stat().st_size for path in LORA.iterdir())


def test_weights_in_a_pickle() -> None:
    (model,) = gather(BY_TRAINING_STACK / "plain-0.14.0-torch2.4-numpy1").models
    assert (model.format, model.dtypes, model.numel) == ("bin", {"F32": 4}, 58)


def test_the_class_of_adam_shows_as_from_torch_2_7() -> None:
    (optimizer,) = gather(BY_TRAINING_STACK / "plain-1.15.0-torch2.13-numpy2").optimizers
    assert optimizer.candidates == ("torch.optim.Adam",)


def test_no_directory() -> None:
    with pytest.raises(UsageError, match="no directory"):
        gather(BY_TRAINING_STACK / "nothing")


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.bin", "random_states_0.pkl", "scheduler.bin"]
)
@pytest.mark.parametrize("kept", [0, 10, 300])
def test_a_truncated_file_is_named(founding: Path, name: str, kept: int) -> None:
    file = founding / name
    file.write_bytes(file.read_bytes()[:kept])
    assert any(name in problem for problem in problems_of(gather(founding)))


def test_a_link_out_is_not_followed(founding: Path, tmp_path: Path) -> None:
    shutil.move(founding / "optimizer.bin", tmp_path / "elsewhere.bin")
    (founding / "optimizer.bin").symlink_to(tmp_path / "elsewhere.bin")
    facts = gather(founding)
    assert facts.optimizers == ()
    assert any("link out of the directory" in problem for problem in problems_of(facts))


def test_fifos_and_folders_under_files_names(founding: Path) -> None:
    (founding / "scheduler.bin").unlink()
    os.mkfifo(founding / "scheduler.bin")
    (founding / "model_1.safetensors").mkdir()
    problems = problems_of(gather(founding))
    assert any("scheduler.bin is no regular file" in problem for problem in problems)


def test_a_folder_that_links_to_itself(founding: Path) -> None:
    (founding / "again").symlink_to(founding)
    assert any("again" in problem for problem in problems_of(gather(founding)))


def test_numbers_that_are_not_in_the_archive(founding: Path) -> None:
    value = (founding / "optimizer.bin").read_bytes()
    from ckptmatrix.checkpoint.format.archive import read_archive
    from ckptmatrix.checkpoint.format.opening import open_inside

    with open_inside(founding, "optimizer.bin") as stream:
        described = read_archive(stream).pickle
    (founding / "optimizer.bin").write_bytes(torch_zip(described))
    assert len(value) > 0
    assert any("lacks the numbers" in problem for problem in problems_of(gather(founding)))


def test_missing_predecessors(founding: Path) -> None:
    shutil.copy(founding / "optimizer.bin", founding / "optimizer_2.bin")
    shutil.copy(founding / "random_states_0.pkl", founding / "random_states_2.pkl")
    problems = " ".join(problems_of(gather(founding)))
    assert "optimizer_1.bin is missing" in problems
    assert "random_states_1.pkl is missing" in problems


def test_a_dangerous_pickle_is_told_and_never_run(founding: Path, tmp_path: Path) -> None:
    mark = tmp_path / "was-here"

    class Evil:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {mark}",)

    (founding / "custom_checkpoint_0.pkl").write_bytes(torch_zip(pickle.dumps(Evil(), 2)))
    file = gather(founding).file("custom_checkpoint_0.pkl")
    assert file is not None
    assert list(file.globals.values()) == ["dangerous"]
    assert not mark.exists()


def test_many_files_are_bounded(tmp_path: Path) -> None:
    for number in range(ENTRY_LIMIT + 5):
        (tmp_path / f"{number}.txt").touch()
    facts = gather(tmp_path)
    assert len(facts.files) == ENTRY_LIMIT
    assert any("not looked at" in problem for problem in facts.problems)


def test_odd_values_everywhere(founding: Path) -> None:
    """Every part of every file replaced by something of another type."""
    odd: list[Any] = [
        *(None, 5, "x", [], {}, {"state": 3, "param_groups": {"x": 1}}, {"param_groups": [3]}),
        {"step": 2**200, "numpy_random_seed": ("MT19937",), "torch_cuda_manual_seed": 3},
        {"state": {0: {"step": "x"}}, "param_groups": [{"lr": float("nan"), "params": 3}]},
        {"last_epoch": True},
        {1: 2, (1, 2): 3, None: 4},
    ]
    for value in odd:
        for name in ("optimizer.bin", "scheduler.bin", "random_states_0.pkl", "pytorch_model.bin"):
            (founding / name).write_bytes(torch_file(value))
        gather(founding)


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"current_step": 1e400}', "[" * 100_000])
def test_odd_documents(founding: Path, text: str) -> None:
    (founding / "train_state.json").write_text(text)
    gather(founding)


_MEASURE = """
import sys
from pathlib import Path
from typing import Any
from ckptmatrix.checkpoint.inspect.inspection import inspect
def read():
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])
inspect(Path(sys.argv[1]))
before = read()
one = inspect(Path(sys.argv[2]))
print(read() - before, one.facts.bytes)
"""


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="needs Linux's /proc/self/io")
def test_ten_gigabytes_are_read_as_quickly_as_one_kilobyte(founding: Path, tmp_path: Path) -> None:
    """Sparse files of the sizes that their headers claim; what is read is counted, not timed."""
    large = tmp_path / "large"
    large.mkdir()
    header = safetensors({"w": ("F32", [1 << 30, 2], 0)})
    header = header.replace(b"[0, 0]", b"[0, 8589934592]")
    header = (len(header) - 8).to_bytes(8, "little") + header[8:]
    with (large / "model.safetensors").open("wb") as file:
        file.write(header)
        file.truncate(len(header) + (8 << 30))
    _sparse_archive(large / "optimizer.bin", 3 << 30)
    shutil.copy(founding / "random_states_0.pkl", large / "random_states_0.pkl")
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(founding), str(large)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    read, size = map(int, done.stdout.split())
    assert size > 11 << 30
    assert read < 1 << 20


def _sparse_archive(path: Path, hole: int) -> None:
    """A torch archive with one record that is a hole of that size (zip64)."""
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state": {}, "param_groups": []}, 2))
    small = path.read_bytes()
    at = small.rfind(b"PK\x01\x02")
    head, tail = small[:at], small[at:]
    end = tail.rfind(b"PK\x05\x06")
    with path.open("wb") as file:
        file.write(head)
        file.seek(hole)
        file.write(tail[: end + 16] + hole.to_bytes(4, "little") + tail[end + 20 :])


def test_looks_like_checkpoint(tmp_path: Path) -> None:
    assert looks_like_checkpoint(LORA)
    assert not looks_like_checkpoint(tmp_path)
    assert not looks_like_checkpoint(tmp_path / "nothing")


def _both_formats(founding: Path, changed: bool) -> None:
    """The founding weights once more as pytorch_model.bin, made without torch, perhaps changed."""
    safe = (founding / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(safe[:8], "little")
    (model,) = gather(founding).models
    stream, records = b"\x80\x02}(", {}
    for number, spec in enumerate(model.tensors):
        size = 4 * spec.numel
        data = safe[start + spec.offset :][:size]
        records[f"data/{number}"] = bytes(size) if changed else data
        stream += _tensor_opcodes(spec.name, str(number), spec.shape)
    (founding / "pytorch_model.bin").write_bytes(torch_zip(stream + b"u.", records))


def _text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def _ints(values: Iterable[int]) -> bytes:
    return b"(" + b"".join(b"K" + bytes([value]) for value in values) + b"t"


def _tensor_opcodes(name: str, key: str, shape: tuple[int, ...]) -> bytes:
    strides = [shape[1], 1] if len(shape) == 2 else [1]
    storage = (
        b"("
        + _text("storage")
        + b"ctorch\nFloatStorage\n"
        + _text(key)
        + _text("cpu")
        + b"K"
        + bytes([math.prod(shape)])
        + b"tQ"
    )
    rest = b"K\x00" + _ints(shape) + _ints(strides) + b"\x89ccollections\nOrderedDict\n)R"
    return _text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


@pytest.mark.parametrize("changed", [False, True])
def test_weights_in_two_formats_are_stale_only_if_they_differ(
    founding: Path, changed: bool
) -> None:
    _both_formats(founding, changed)
    facts = gather(founding)
    assert [len(model.tensors) for model in facts.models] == [4, 4]
    assert facts.stale == ((0,) if changed else ())
    assert bool(problems_of(facts)) == changed
    os.utime(founding / "pytorch_model.bin", (2_000_000_000,) * 2)
    outcome = predict(gather(founding), "1.15.0", "2.13.0", "1.26.4")
    assert outcome.components["model"] == ("wrong" if changed else "restored")
