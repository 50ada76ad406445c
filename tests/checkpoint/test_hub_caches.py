"""Checkpoints in a hub cache, whose files are links into a sibling folder: inspect, repair and try
take these alike, and follow no other link."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptmatrix.checkpoint.format.file_fact import Reading
from ckptmatrix.checkpoint.inspect.inspection import inspect
from ckptmatrix.checkpoint.repair import repair
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.measure.directory.copying import copy, wanted
from ckptmatrix.measure.directory.refusals import refuse
from tests.support.places import NEWEST_BASIC

STATES = "random_states_0.pkl"


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """The newest basic checkpoint, as huggingface_hub keeps it."""
    cache = tmp_path / "hub" / "models--a--b"
    found = cache / "snapshots" / "0123abc" / "state"
    found.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for path in NEWEST_BASIC.iterdir():
        blob = cache / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        shutil.copy(path, blob)
        (found / path.name).symlink_to(os.path.relpath(blob, found))
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_of_one_cache_are_read_as_files(snapshot: Path, tmp_path: Path) -> None:
    here, there = inspect(snapshot), inspect(NEWEST_BASIC)
    assert (here.problems, here.dangerous) == ((), ())
    assert here.facts.models == there.facts.models
    assert here.facts.random == there.facts.random
    assert here.facts.bytes == there.facts.bytes > 0
    assert [box.outcome for box in here.outlook] == [box.outcome for box in there.outlook]

    repair(snapshot, tmp_path / "repaired")
    repair(NEWEST_BASIC, tmp_path / "reference")
    assert contents(tmp_path / "repaired") == contents(tmp_path / "reference")
    assert not any(path.is_symlink() for path in (tmp_path / "repaired").iterdir())

    files = wanted(here.facts, ())
    refuse(here, files, trust=False)
    copy(snapshot, files, tmp_path / "tried")
    assert contents(tmp_path / "tried") == contents(NEWEST_BASIC)
    assert not any(path.is_symlink() for path in (tmp_path / "tried").iterdir())


def _out_of_the_cache(cache: Path) -> Path:
    return Path(shutil.copy(NEWEST_BASIC / STATES, cache.parents[1] / "secret"))


def _into_another_cache(cache: Path) -> Path:
    other = cache.parent / "models--c--d" / "blobs"
    other.mkdir(parents=True)
    return Path(shutil.copy(NEWEST_BASIC / STATES, other / "0"))


def _below_the_blobs(cache: Path) -> Path:
    (cache / "blobs" / "more").mkdir()
    return Path(shutil.copy(NEWEST_BASIC / STATES, cache / "blobs" / "more" / "0"))


def _beside_the_blobs(cache: Path) -> Path:
    return Path(shutil.copy(NEWEST_BASIC / STATES, cache / "0"))


def _a_blob_that_is_a_link(cache: Path) -> Path:
    (cache / "blobs" / "0").symlink_to(_out_of_the_cache(cache))
    return cache / "blobs" / "0"


def _blobs_that_are_a_link(cache: Path) -> Path:
    elsewhere = cache.parents[1] / "elsewhere"
    (cache / "blobs").rename(elsewhere)
    (cache / "blobs").symlink_to(elsewhere)
    return Path(shutil.copy(NEWEST_BASIC / STATES, elsewhere / "0"))


def _another_revision(cache: Path) -> Path:
    other = cache / "snapshots" / "4567def"
    other.mkdir()
    return Path(shutil.copy(NEWEST_BASIC / STATES, other / STATES))


@pytest.mark.parametrize(
    "target",
    [
        _out_of_the_cache,
        _into_another_cache,
        _below_the_blobs,
        _beside_the_blobs,
        _a_blob_that_is_a_link,
        _blobs_that_are_a_link,
        _another_revision,
    ],
)
def test_no_other_link_is_followed(
    snapshot: Path, tmp_path: Path, target: Callable[[Path], Path]
) -> None:
    cache = snapshot.parents[2]
    leads = target(cache)
    (snapshot / STATES).unlink()
    (snapshot / STATES).symlink_to(leads)
    one = inspect(snapshot)
    fact = one.facts.file(STATES)
    assert fact is not None
    assert fact.reading is Reading.ABSENT
    assert "link" in fact.problem
    with pytest.raises(CkptmatrixError, match="link"):
        repair(snapshot, tmp_path / "repaired")
    assert not (tmp_path / "repaired").exists()
    with pytest.raises(CkptmatrixError):
        refuse(one, wanted(one.facts, ()), trust=True)
    with pytest.raises(CkptmatrixError, match="link"):
        copy(snapshot, (STATES,), tmp_path / "tried")
