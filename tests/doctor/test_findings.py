"""What `doctor.py` concludes from files, without running anything."""

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix import doctor
from ckptmatrix.doctor import Here, Loaded, PickledFile, Trial
from tests.support.places import NEWEST_BASIC

FILES = ["model.safetensors", "optimizer.bin", "random_states_0.pkl", "scheduler.bin"]


def trial(files: list[str], model: str = "restored") -> Trial:
    return Trial(files, None, {"model": model})


def here(scratch: Path, files: list[str] = FILES, tied: str = "restored") -> Here:
    own = {"plain": trial(files), "tied": trial(files, tied)}
    return Here("accelerate 1.15.0, torch 2.13.0, numpy 2.4.1", own, scratch)


def archive(path: Path, code: bytes, **others: bytes) -> Path:
    """An archive as torch.save writes it, with this pickle."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("archive/data.pkl", code)
        for name, content in others.items():
            out.writestr(f"archive/{name}.pkl", content)
    return path


# Looking through a file.


def test_a_real_file_is_harmless() -> None:
    for name in ("optimizer.bin", "random_states_0.pkl", "scheduler.bin"):
        assert doctor.look_through(NEWEST_BASIC / name) == PickledFile(NEWEST_BASIC / name)


def test_names_that_are_not_harmless_are_kept_in_order(tmp_path: Path) -> None:
    code = b"cos\nsystem\n0ccollections\nOrderedDict\n0c__builtin__\nset\n0cbuiltins\neval\n."
    file = doctor.look_through(archive(tmp_path / "optimizer.bin", code))
    assert file.unknown == ("os.system", "builtins.eval")
    assert (
        file.refusal == "names os.system, builtins.eval; not loaded, so that nothing unknown runs"
    )


@pytest.mark.parametrize(
    ("opcode", "code"),
    [
        ("STACK_GLOBAL", b"\x80\x04\x8c\x02os\x8c\x06system\x93."),
        ("INST", b"(ios\nsystem\n."),
        ("EXT1", b"\x82\x01."),
    ],
)
def test_ways_of_naming_that_torch_never_takes(tmp_path: Path, opcode: str, code: bytes) -> None:
    file = doctor.look_through(archive(tmp_path / "optimizer.bin", code))
    assert file.unknown == (f"something by {opcode}, which torch.save never writes",)


def damaged_files(folder: Path) -> dict[str, Path]:
    whole = (NEWEST_BASIC / "optimizer.bin").read_bytes()
    cases = {
        "empty": (b"", "empty (0 bytes)"),
        "short": (whole[:-100], "truncated or damaged ("),
        "no zip": (pickle.dumps(1), "damaged, or no archive of the kind that torch.save"),
        "something before": (b"x" + whole, "damaged, or no archive of the kind"),
    }
    for name, (content, _) in cases.items():
        (folder / name).write_bytes(content)
    return {said: folder / name for name, (_, said) in cases.items()}


def test_damage_is_said(tmp_path: Path) -> None:
    for said, path in damaged_files(tmp_path).items():
        file = doctor.look_through(path)
        assert file.damage.startswith(said)
        assert file.refusal.startswith(f"is {said}")


def test_archives_of_another_kind(tmp_path: Path) -> None:
    script = archive(tmp_path / "script.bin", pickle.dumps(1, 2), constants=b"")
    other = archive(tmp_path / "other.bin", pickle.dumps(1, 2))
    with zipfile.ZipFile(other, "a") as out:
        out.writestr("more/data.pkl", pickle.dumps(1, 2))
    for path in (script, other):
        assert doctor.look_through(path).damage.startswith("damaged, or no archive of the kind")


def test_a_pickle_that_ends_early_is_damaged(tmp_path: Path) -> None:
    file = doctor.look_through(archive(tmp_path / "scheduler.bin", b"\x80\x02}q\x00(X"))
    assert file.damage.startswith("truncated or damaged")


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("torch.FloatStorage", True),
        ("torch.bfloat16", True),
        ("torch.float8_e4m3fn", True),
        ("torch.bool", True),
        ("torch.load", False),
        ("torch.float32.x", False),
        ("__builtin__.set", True),
        ("x__builtin__.set", False),
        ("builtins.eval", False),
        ("numpy._core.multiarray._reconstruct", True),
        ("numpy.core.multiarray.scalar", True),
        ("numpy.core.multiarray.fromfile", False),
    ],
)
def test_harmless_names(name: str, harmless: bool) -> None:
    assert doctor.is_harmless(name) is harmless


@pytest.mark.parametrize(
    ("name", "pickled"),
    [
        ("optimizer_1.bin", True),
        ("scaler.pt", True),
        ("dl_state_dict.bin", True),
        ("random_states_12.pkl", True),
        ("custom_checkpoint_0.pkl", True),
        ("pytorch_model.bin", False),
        ("optimizer.pt", False),
        ("random_states.pkl", False),
    ],
)
def test_files_that_are_looked_through(name: str, pickled: bool) -> None:
    assert bool(doctor.PICKLED.fullmatch(name)) is pickled


# Findings.


def test_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    [finding] = doctor.examine(tmp_path, here(tmp_path))
    assert (finding.effect, finding.cause) == ("raises", "its files are others")
    (tmp_path / "trainer_state.json").touch()
    [finding] = doctor.examine(tmp_path, here(tmp_path))
    assert finding.cause == "its files are those of transformers' Trainer"


def test_safetensors_before_it_was_known(tmp_path: Path) -> None:
    files = {"model.safetensors": NEWEST_BASIC / "model.safetensors"}
    old = here(tmp_path, ["pytorch_model.bin"]).own
    [finding] = doctor.weights_findings(files, old)
    assert finding.effect == "raises"
    assert finding.what == "load_state raises FileNotFoundError for pytorch_model.bin"
    assert finding.cause.endswith("safetensors came with 0.25.0")
    files["pytorch_model.bin"] = tmp_path / "pytorch_model.bin"
    assert doctor.weights_findings(files, old) == []


def test_tied_weights_only_where_safetensors_are_read(tmp_path: Path) -> None:
    files = {"model.safetensors": NEWEST_BASIC / "model.safetensors"}
    [finding] = doctor.weights_findings(files, here(tmp_path, tied="lost").own)
    assert (finding.effect, "missing keys" in finding.what) == ("possible", True)
    assert doctor.weights_findings(files, here(tmp_path).own) == []
    assert doctor.weights_findings({}, here(tmp_path, tied="lost").own) == []


def test_safetensors_as_long_as_the_header_says(tmp_path: Path) -> None:
    content = (NEWEST_BASIC / "model.safetensors").read_bytes()
    header = json.dumps({"a": {"data_offsets": [0, 4]}}).encode()
    size = len(header).to_bytes(8, "little")
    whole = {
        "whole": content,
        "short": content[:-1],
        "long": content + b"\0",
        "no header": content[:4],
        "no JSON": (1).to_bytes(8, "little") + b"{",
        "no entries": (2).to_bytes(8, "little") + b"[]",
        "own": size + header + b"\0" * 4,
        "huge header": (1 << 40).to_bytes(8, "little"),
    }
    for name, data in whole.items():
        (tmp_path / name).write_bytes(data)
    assert {name for name in whole if doctor.is_whole(tmp_path / name)} == {"whole", "own"}


def test_a_short_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 20)
    files = {"model.safetensors": tmp_path / "model.safetensors"}
    [finding] = doctor.weights_findings(files, here(tmp_path).own)
    assert (finding.effect, finding.what) == ("raises", "model.safetensors is truncated or damaged")


def test_what_the_script_may_prepare() -> None:
    optimizer, scheduler = doctor.missing_findings({})
    assert {optimizer.effect, scheduler.effect} == {"possible"}
    assert optimizer.what.startswith("FileNotFoundError for optimizer.bin")
    assert (optimizer.cause, optimizer.remedy) == ("the script prepared none", "none")
    assert "accelerate before 0.15.0, or from 0.16.0 to before 0.17.0" in scheduler.cause
    assert "--scheduler-step" in scheduler.remedy
    assert doctor.missing_findings({name: Path(name) for name in FILES}) == []


def test_a_pickled_file_that_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "optimizer.bin"
    [unknown] = doctor.pickled_findings(PickledFile(path, unknown=("os.mkdir",)), here(tmp_path))
    assert (unknown.effect, "names os.mkdir" in unknown.what) == ("unknown", True)
    [damaged] = doctor.pickled_findings(PickledFile(path, damage="empty"), here(tmp_path))
    assert (damaged.effect, damaged.what) == ("raises", "optimizer.bin is empty")


def test_a_pickled_file_that_raises_when_read(tmp_path: Path) -> None:
    custom = PickledFile(tmp_path / "custom_checkpoint_0.pkl", error="KeyError: 1")
    [finding] = doctor.pickled_findings(custom, here(tmp_path))
    assert finding.what == "load_state raises for custom_checkpoint_0.pkl: KeyError: 1"
    assert finding.cause == here(tmp_path).releases
    assert "repair" not in finding.remedy  # which does not touch a script's own objects
    optimizer = PickledFile(tmp_path / "optimizer.bin", error="KeyError: 1")
    [finding] = doctor.pickled_findings(optimizer, here(tmp_path))
    assert "repair" in finding.remedy
    assert doctor.pickled_findings(PickledFile(tmp_path / "optimizer.bin"), here(tmp_path)) == []


def test_random_states_that_name_something_unknown_are_not_loaded(tmp_path: Path) -> None:
    file = PickledFile(tmp_path / "random_states_0.pkl", unknown=("os.mkdir",))
    [finding] = doctor.random_states_findings(file, here(tmp_path))
    assert (finding.effect, "os.mkdir" in finding.what) == ("unknown", True)


def test_random_states_that_were_not_read_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "random_states_0.pkl"
    whole = (NEWEST_BASIC / "random_states_0.pkl").read_bytes()
    for content in (pickle.dumps(1), whole + b"PK\5\6", b"\x80\x02cos\nsystem\n."):
        path.write_bytes(content)
        [finding] = doctor.random_states_findings(doctor.look_through(path), here(tmp_path))
        assert (finding.effect, "not loaded" in finding.what) == ("unknown", True)
    for content in (b"", whole[:-50], b"version https://git-lfs"):
        path.write_bytes(content)
        assert doctor.look_through(path).dead


def explained(scratch: Path, lost: list[str], raised: str | None, **file: Any) -> tuple[str, str]:
    path = scratch / "random_states_0.pkl"
    return doctor.why_lost(PickledFile(path, **file), lost, raised, scratch, here(scratch))


def test_why_random_states_are_lost_where_no_other_load_is_tried(tmp_path: Path) -> None:
    """The rest needs real loads: see test_doctor.py."""
    cause, remedy = explained(tmp_path, [], None, damage="missing")
    assert cause == "random_states_0.pkl is missing"
    assert "can't be made up" in remedy
    cause, _ = explained(tmp_path, [], None, error="KeyError: 1")
    assert cause == f"{here(tmp_path).releases}: KeyError: 1"
    assert explained(tmp_path, [], None)[0] == ""
    cause, remedy = explained(tmp_path, [], "KeyError: 'step'", truth={"rng.python": "x"})
    assert cause == "no step in random_states_0.pkl: saved before accelerate 0.32.0"
    assert "repair" in remedy
    cause, remedy = explained(tmp_path, ["step"], None, truth={"step": "x"})
    assert cause == "accelerate restores step from 0.32.0 on"
    assert "repair" not in remedy


def test_verdicts() -> None:
    loaded = Loaded({"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "1", "c": "3"}, None)
    truth = {"a": "2", "b": "2", "c": "2", "rng.cuda": "2"}
    assert doctor.verdicts(truth, loaded) == {"a": "restored", "b": "lost", "c": "wrong"}


def test_a_child_without_an_answer_raises() -> None:
    with pytest.raises(doctor.CrashError, match="No module named"):
        doctor.child(doctor.save, Path("nowhere"))


def test_text_of_findings() -> None:
    finding = doctor.Finding("silent", "step", "0.24.1", "none")
    assert doctor.as_lines([finding._asdict()]) == [
        "  silent: step\n      cause:  0.24.1\n      remedy: none"
    ]


def test_gist_of_an_error() -> None:
    long = RuntimeError("x" * 500)
    assert doctor.gist(long) == "RuntimeError: " + "x" * 200
    torch = io.UnsupportedOperation("Weights only ...\nUnsupported global: GLOBAL os.mkdir was not")
    assert doctor.gist(torch) == "UnsupportedOperation: Unsupported global: GLOBAL os.mkdir"
