"""`ckptmatrix try` as a person types it: a directory that stays as it is, and what is refused."""

import json
import shutil
import sys
from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from ckptmatrix.cli import main
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import NothingRanError
from ckptmatrix.measure.directory.attempt import Wish, make_ready
from ckptmatrix.measure.directory.console import as_markdown, verdict
from ckptmatrix.measure.directory.row import DirectoryRow, try_directory
from ckptmatrix.measure.lab import Lab
from ckptmatrix.model import Status
from ckptmatrix.plan.config import read_config
from tests.support.places import FIXTURES, FOUNDING, NEWEST, NEWEST_BASIC, ROOT
from tests.support.torch_files import safetensors, torch_file, torch_zip

Ask = Callable[..., tuple[int, str, str]]
BROKEN = ["--accelerate", "0.33.0", "--stack", "torch2.15-np1"]
SOUND = ["--accelerate", NEWEST.accelerate, "--stack", NEWEST.stack]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Run the command line; gives exit code, standard output and standard error."""

    def ask(*arguments: object) -> tuple[int, str, str]:
        more = ["--config", ROOT / "matrix.toml", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["ckptmatrix", "try", *map(str, (*arguments, *more))])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(ended.value.code or 0), captured.out, captured.err

    return ask


def state_of(directory: Path) -> dict[str, tuple[str, int, int]]:
    """Name -> bytes, time and permissions of everything, the directory itself included."""
    found = {}
    for path in (directory, *directory.rglob("*")):
        status = path.stat()
        data = path.read_bytes() if path.is_file() else b""
        name = str(path.relative_to(directory))
        found[name] = (sha256(data).hexdigest(), status.st_mtime_ns, status.st_mode)
    return found


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A copy of the founding directory that may be broken."""
    return shutil.copytree(FOUNDING, tmp_path / FOUNDING.name)


@pytest.mark.environments
def test_the_founding_directory_fails_and_stays_as_it_is(ask: Ask, mine: Path) -> None:
    for path in mine.iterdir():
        path.chmod(0o444)
    mine.chmod(0o555)
    before = state_of(mine)
    code, told, _ = ask(mine, *BROKEN, "--json")
    assert state_of(mine) == before
    row = json.loads(told)
    [cell] = row["cells"]
    assert code == 1
    assert (cell["status"], cell["error"]["type"], cell["cause"]) == (
        "failed",
        "KeyError",
        "refused-step",
    )
    assert cell["resume"] is None
    assert "KeyError: 'step' in 0.33.0 on torch2.15-np1" in row["verdict"]
    assert row["whole"] == []
    assert any("--repaired" in remedy for remedy in row["remedies"])
    mine.chmod(0o755)


@pytest.mark.environments
def test_a_repaired_copy_comes_back_whole(ask: Ask, mine: Path) -> None:
    code, told, said = ask(mine, *BROKEN, "--repaired")
    assert code == 0
    assert "A repaired copy comes back whole in 1 of 1 environments" in told
    assert "Repaired: random_states_0.pkl: numpy's random state is a plain list" in told
    assert "is only read" in said
    assert sorted(path.name for path in mine.iterdir()) == sorted(
        path.name for path in FOUNDING.iterdir()
    )


def try_in_newest(directory: Path) -> DirectoryRow:
    return try_directory(Wish(directory, Site.of(read_config(ROOT / "matrix.toml")), (NEWEST,)))


@pytest.mark.environments
def test_a_scheduler_that_was_not_saved_is_asked_for(lab: Lab, tmp_path: Path) -> None:
    directory = shutil.copytree(NEWEST_BASIC, tmp_path / "checkpoint")
    (directory / "scheduler.bin").unlink()
    row = try_in_newest(directory)
    [cell] = row.cells
    assert (cell.status, cell.cause) == (Status.FAILED, "scheduler-not-saved")
    assert cell.error
    assert "scheduler.bin" in cell.error.message
    assert any("--no-scheduler" in note for note in row.notes)
    assert "| 1.15.0 | **failed**: FileNotFoundError" in as_markdown(row)
    plain = Wish(directory, lab.site, (), scheduler=False)
    (tmp_path / "place").mkdir()
    record = make_ready(plain, tmp_path / "place").outcome(lab.registry.worker(NEWEST), NEWEST)
    assert record.status == Status.EXACT


@pytest.mark.environments
def test_without_random_states_nothing_is_called_whole(mine: Path) -> None:
    (mine / "random_states_0.pkl").unlink()
    row = try_in_newest(mine)
    [cell] = row.cells
    assert cell.status == Status.EXACT
    assert cell.components["rng.torch"] == "unsaved"
    assert row.whole == ()
    assert "It has no rng.python, rng.numpy, rng.torch, step" in verdict(row)


def test_a_directory_that_is_written_to_meanwhile_gets_no_answer(mine: Path) -> None:
    def save_again(said: str) -> None:
        (mine / "scheduler.bin").write_bytes(b"half a file")

    wish = Wish(mine, Site.of(read_config(ROOT / "matrix.toml")), (NEWEST,))
    with pytest.raises(NothingRanError, match="changed while it was copied"):
        try_directory(wish, save_again)


@pytest.mark.environments
def test_what_cannot_be_compared_is_loaded_when_trusted(ask: Ask, tmp_path: Path) -> None:
    directory = shutil.copytree(NEWEST_BASIC, tmp_path / "checkpoint")
    custom = torch_file({"half": Fraction(1, 2)})
    (directory / "custom_checkpoint_0.pkl").write_bytes(custom)
    code, _, said = ask(directory, *SOUND)
    assert code == 2
    assert "custom_checkpoint_0.pkl names fractions.Fraction" in said
    code, told, _ = ask(directory, *SOUND, "--trust", "--json")
    row = json.loads(told)
    assert code == 0
    assert "custom" not in row["cells"][0]["components"]
    assert any("custom is loaded and not compared" in note for note in row["notes"])


def cut(directory: Path) -> None:
    path = directory / "optimizer.bin"
    path.write_bytes(path.read_bytes()[:-300])


def gap(directory: Path) -> None:
    shutil.copy(directory / "optimizer.bin", directory / "optimizer_2.bin")


def trainer(directory: Path) -> None:
    (directory / "random_states_0.pkl").unlink()
    (directory / "optimizer.bin").rename(directory / "optimizer.pt")
    (directory / "train_state.json").unlink()
    (directory / "trainer_state.json").write_text('{"global_step": 5, "epoch": 1.0}')


def sharded(directory: Path) -> None:
    (directory / "pytorch_model_fsdp_0").mkdir()
    (directory / "pytorch_model_fsdp_0" / "__0_0.distcp").write_bytes(b"x")


def empty(directory: Path) -> None:
    shutil.rmtree(directory)
    directory.mkdir()


def gone(directory: Path) -> None:
    shutil.rmtree(directory)


def hostile(directory: Path) -> None:
    (directory / "scheduler.bin").write_bytes(torch_zip(b"cos\nsystem\n(S'touch /tmp/x'\ntR."))


def leading_out(directory: Path) -> None:
    (directory / "scheduler.bin").unlink()
    (directory / "scheduler.bin").symlink_to(NEWEST_BASIC / "scheduler.bin")


def odd_optimizer(directory: Path) -> None:
    (directory / "optimizer.bin").write_bytes(torch_file({"state": {}, "param_groups": [], "x": 1}))


def odd_weights(directory: Path) -> None:
    (directory / "model.safetensors").write_bytes(safetensors({"w": ("F4", [4], 2)}))


@pytest.mark.parametrize(
    ("damage", "code", "told"),
    [
        (cut, 3, "optimizer.bin"),
        (gap, 3, "optimizer numbered 1 is missing"),
        (trainer, 2, "the Trainer of transformers"),
        (sharded, 2, "shards of distributed training"),
        (empty, 2, "no directory of Accelerator.save_state"),
        (gone, 2, "There is no directory"),
        (hostile, 2, "which runs code"),
        (leading_out, 3, "scheduler.bin is a link out of the directory"),
        (odd_optimizer, 3, "more than an optimizer's `state` and `param_groups`"),
        (odd_weights, 3, "F4"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_a_sentence(
    ask: Ask, mine: Path, damage: Callable[[Path], None], code: int, told: str
) -> None:
    damage(mine)
    ended, _, said = ask(mine, *SOUND)
    assert ended == code
    assert told in said
    assert "remedy:" in said


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--loader", "magic"], "there is no loader 'magic'"),
        (["--tier", "huge"], "there is no tier 'huge'"),
        (["--tied", "x"], "not of the form NAME=NAME"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(ask: Ask, wrong: list[str], told: str) -> None:
    code, _, said = ask(FIXTURES / "basic", *wrong)
    assert code == 2
    assert told in said
