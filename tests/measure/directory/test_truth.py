"""What the host reads of a directory without torch is what the writer itself captured."""

import json
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.errors import UsageError
from ckptmatrix.measure.directory.copying import wanted
from ckptmatrix.measure.directory.refusals import refuse
from ckptmatrix.measure.directory.stand_in import describe, hooked_files, missing
from ckptmatrix.measure.directory.truth import read_truth
from tests.support.neutral import leaves_of
from tests.support.places import FIXTURES, FOUNDING, MANIFESTS, NEWEST_BASIC

SHARDED = [path for path in MANIFESTS if path.parts[-3].startswith("fsdp-")]


def _id(path: Path) -> str:
    return "/".join(path.parts[-3:-1])


@pytest.mark.parametrize("manifest", SHARDED, ids=_id)
def test_what_several_processes_hold_between_them_is_refused(manifest: Path) -> None:
    """No stand-in of one process can load it, so nothing is said of it rather than something."""
    found = inspect(manifest.parent / json.loads(manifest.read_text())["directory"])
    with pytest.raises(UsageError, match="without the model's code cannot load") as refused:
        refuse(found, wanted(found.facts, hooked_files(found)), trust=True)
    assert "ckptmatrix inspect" in refused.value.remedy
    assert "docs/own-scenario.md" in refused.value.remedy


@pytest.mark.parametrize("manifest", sorted(set(MANIFESTS) - set(SHARDED)), ids=_id)
def test_it_is_what_the_writer_captured(manifest: Path, tmp_path: Path) -> None:
    told = json.loads(manifest.read_text())
    directory = manifest.parent / told["directory"]
    found = inspect(directory)
    tied = {"decoder.weight": "encoder.weight"} if "tied" in str(manifest) else {}
    truth = read_truth(directory, found.facts, hooked_files(found), tied, trusted=False)
    truth.encoder.save(tmp_path / "truth", truth.trees)
    read, captured = leaves_of(tmp_path / "truth"), leaves_of(manifest.parent / "truth")
    if "hook_files" in captured:  # the scenario's own, without the file's name
        own = captured["hook_files"]
        captured["hook_files"] = {f"/train_state.json{path}": leaf for path, leaf in own.items()}
    assert read == {name: own for name, own in captured.items() if name not in told["unsaved"]}
    assert {"model", "optimizer", "rng.python", "rng.numpy", "rng.torch"} <= read.keys()
    assert ("step" in truth.unsaved) == ("step" in told["unsaved"])


def test_the_stand_in_says_who_wrote_it_and_what_is_there(tmp_path: Path) -> None:
    found = inspect(FOUNDING)
    truth = read_truth(FOUNDING, found.facts, hooked_files(found), {}, trusted=False)
    told = describe(tmp_path, found, truth, None)
    assert (told.hooks, told.hooked) == (True, ("train_state.json",))
    assert (told.optimizers, told.schedulers, told.custom) == (("Adam",), 1, 0)


def test_the_marks_of_a_scheduler_without_its_file_are_seen(tmp_path: Path) -> None:
    old = FIXTURES / "basic" / "0.14.0+torch2.4-np1" / "checkpoint"
    for directory, expected in ((old, 1), (NEWEST_BASIC, 1)):
        found = inspect(directory)
        truth = read_truth(directory, found.facts, (), {}, trusted=False)
        told = describe(tmp_path, found, truth, None)
        assert told.schedulers == expected
        assert ("scheduler" in missing(told, found.facts)) == (directory == old)
