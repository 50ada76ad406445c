"""Checkpoints as one file: what is packed comes out, and nothing else ever does.

A real checkpoint of a real release is packed, and the archive then changed as somebody hostile, or
a bad disk, would.
"""

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ckptmatrix.environments.building import build_all
from ckptmatrix.environments.other_machine import (
    find_record,
    keep_record,
    pins,
    record_of,
    refuse_others,
)
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import CkptmatrixError, UsageError
from ckptmatrix.measure.checkpoints import find_written
from ckptmatrix.measure.elsewhere import writers_elsewhere
from ckptmatrix.measure.lab import Lab
from ckptmatrix.measure.packing import pack
from ckptmatrix.measure.unpacking import unpack
from ckptmatrix.model import Environment
from ckptmatrix.plan.config import Config
from ckptmatrix.plan.planning import make_plan
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.selection import Selection
from ckptmatrix.util.home import Home
from tests.support.places import NEWEST

pytestmark = pytest.mark.environments

READER = Environment("1.15.0", "torch2.4-np1")
"""Reads here; it is asked for by no test to be built."""

Blobs = dict[str, bytes]
Change = Callable[[dict[str, Any], Blobs], None]


@pytest.fixture(scope="module")
def selected(project: Config) -> Selected:
    """NEWEST writes, another environment reads."""
    selection = Selection("smoke", ("1.15.0",), (READER.stack, NEWEST.stack), ("basic",))
    plan = make_plan(project, selection)
    cells = tuple(c for c in plan.cells if c.writer == NEWEST and c.reader == READER)
    return Selected(project, selection, "", plan.narrowed(cells))


@pytest.fixture(scope="module")
def packed(selected: Selected, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "checkpoints.zip"
    lab.registry.written(NEWEST, "basic")
    record = replace(lab.registry.installed(NEWEST).record, stack=READER.stack)
    built = {
        NEWEST: lab.registry.installed(NEWEST),
        READER: replace(lab.registry.installed(NEWEST), environment=READER, record=record),
    }
    pack(path, selected, lab.site, built)
    return path


@pytest.fixture
def site(project: Config, tmp_path: Path) -> Site:
    """Another machine's."""
    return Site(project, Home(tmp_path / "within" / "home"))


def changed(packed: Path, path: Path, change: Change, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """The archive with its manifest and what it holds changed."""
    with zipfile.ZipFile(packed) as archive:
        blobs = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(blobs["manifest.json"])
    change(manifest, blobs)
    if "manifest.json" in blobs:
        blobs["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in blobs.items():
            archive.writestr(name, data)
    return path


def files_of(manifest: dict[str, Any]) -> dict[str, str]:
    files = manifest["checkpoints"][f"{NEWEST.id}/basic"]
    assert isinstance(files, dict)
    return files


def put(manifest: dict[str, Any], blobs: Blobs, name: str, data: bytes) -> None:
    """Put a file into the checkpoint, its digest and all."""
    sha256 = hashlib.sha256(data).hexdigest()
    blobs[sha256] = data
    files_of(manifest)[name] = sha256


def test_what_is_packed_comes_out(packed: Path, selected: Selected, lab: Lab, site: Site) -> None:
    unpack(packed, selected, site)
    recorded = find_record(NEWEST, site)
    assert recorded
    assert recorded.frozen == lab.registry.installed(NEWEST).frozen
    there = find_written(site, recorded, "basic")
    here = lab.registry.written(NEWEST, "basic")
    assert there
    assert there.content == here.content
    assert there.trace == here.trace
    names = [path.relative_to(here.place) for path in here.place.rglob("*") if path.is_file()]
    assert len(names) > 6
    for name in names:
        assert (there.place / name).read_bytes() == (here.place / name).read_bytes()


def test_what_is_there_is_left_alone_and_what_is_damaged_is_mended(
    packed: Path, selected: Selected, site: Site
) -> None:
    unpack(packed, selected, site)
    files = [path for path in site.home.checkpoints.rglob("*") if path.is_file()]
    places = {path: path.stat().st_ino for path in files}
    unpack(packed, selected, site)
    assert {path: path.stat().st_ino for path in files} == places
    before = files[0].read_bytes()
    files[0].write_bytes(flipped(before))
    unpack(packed, selected, site)
    assert files[0].read_bytes() == before


def test_equal_checkpoints_make_equal_artifacts(
    packed: Path, selected: Selected, lab: Lab, tmp_path: Path
) -> None:
    built = {
        NEWEST: lab.registry.installed(NEWEST),
        READER: replace(lab.registry.installed(NEWEST), environment=READER),
    }
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    for path in (first, second):
        pack(path, selected, lab.site, built)
    assert first.read_bytes() == second.read_bytes()
    assert set(tmp_path.iterdir()) == {first, second}


def test_a_writer_is_taken_from_its_record_and_a_reader_is_not(
    packed: Path, selected: Selected, site: Site
) -> None:
    assert writers_elsewhere(selected.plan, site) == {}
    unpack(packed, selected, site)
    elsewhere = writers_elsewhere(selected.plan, site)
    assert list(elsewhere) == [NEWEST]
    weights = next(site.home.checkpoints.rglob("model.safetensors"))
    weights.unlink()
    assert writers_elsewhere(selected.plan, site) == {}


def test_an_environment_that_came_out_otherwise_here_is_refused(
    packed: Path, selected: Selected, lab: Lab, site: Site
) -> None:
    unpack(packed, selected, site)
    here = lab.registry.installed(NEWEST)
    refuse_others([here], site)
    packages = (*here.record.packages[1:], "numpy==9.9.9")
    other = replace(here, record=replace(here.record, packages=packages))
    with pytest.raises(CkptmatrixError, match=r"numpy==9\.9\.9"):
        refuse_others([other], site)


def test_a_reader_is_installed_with_the_versions_of_the_machine_that_wrote(
    selected: Selected, lab: Lab, site: Site
) -> None:
    # Nobody pins it, so on another day another release of it would be installed.
    elsewhere = lab.registry.installed(NEWEST)
    (usual,) = (name for name in elsewhere.record.packages if name.startswith("tqdm=="))
    packages = (*(one for one in elsewhere.record.packages if one != usual), "tqdm==4.66.5")
    there = replace(record_of(elsewhere), record=replace(elsewhere.record, packages=packages))
    keep_record(NEWEST, site, there)
    plan = make_plan(selected.config, replace(selected.selection, stacks=(NEWEST.stack,)))
    built = build_all([NEWEST], site, pins=pins(plan.readers, site))[NEWEST]
    assert usual != "tqdm==4.66.5"
    assert set(built.record.packages) == set(packages)


OUTSIDE = (
    "../../evil /tmp/evil a/../../evil ./evil a//evil .. . c:evil ..\\evil evil\0 x/../../evil"
)


@pytest.mark.parametrize("name", ["", *OUTSIDE.split(" ")])
def test_no_file_goes_anywhere_else(
    name: str, packed: Path, selected: Selected, site: Site, tmp_path: Path
) -> None:
    path = changed(
        packed, tmp_path / "x.zip", lambda manifest, blobs: put(manifest, blobs, name, b"evil")
    )
    refused(path, selected, site, "is to be called")
    assert {one.name for one in tmp_path.iterdir()} == {"within", "x.zip"}
    assert not Path("/tmp/evil").exists()


def refused(path: Path, selected: Selected, site: Site, told: str) -> None:
    """It is refused in a sentence, and a run would find nothing of it."""
    with pytest.raises(UsageError, match=told) as error:
        unpack(path, selected, site)
    assert error.value.remedy
    assert str(path) in error.value.message
    assert writers_elsewhere(selected.plan, site) == {}
    found = [one for one in site.home.root.rglob("*") if one.is_file()]
    assert not found, found


def first_blob(manifest: dict[str, Any]) -> str:
    return files_of(manifest)["checkpoint/optimizer.bin"]


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def spoil(manifest: dict[str, Any], blobs: Blobs) -> None:
    blobs[first_blob(manifest)] = flipped(blobs[first_blob(manifest)])


def swap(manifest: dict[str, Any], blobs: Blobs) -> None:
    put(manifest, blobs, "checkpoint/optimizer.bin", flipped(blobs[first_blob(manifest)]))


def lie(manifest: dict[str, Any], blobs: Blobs) -> None:
    stamp = json.loads(blobs[files_of(manifest)["written.json"]])
    stamp["record"] |= {"directory": "../../../..", "files": {}}
    stamp["hashes"] = {}
    put(manifest, blobs, "written.json", json.dumps(stamp).encode())


def instruct(manifest: dict[str, Any], blobs: Blobs) -> None:
    packages = manifest["environments"][NEWEST.id]["record"]["packages"]
    packages.append("tqdm==4.66.5\n--index-url=https://example.org/simple")


def bomb(manifest: dict[str, Any], blobs: Blobs) -> None:
    put(manifest, blobs, "bomb", bytes(2**25))
    sha256 = files_of(manifest)["bomb"]
    files_of(manifest).update({f"bomb-{number}": sha256 for number in range(300_000)})


def to(**fields: Any) -> Change:
    return lambda manifest, blobs: manifest.update(fields)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (spoil, "does not hold what it is named by"),
        (swap, "is not whole"),
        (lie, "is not whole"),
        (bomb, "bytes, .* are free"),
        (instruct, "is no version of a package"),
        (lambda m, b: put(m, b, "truth.json/within", b"x"), "in one place"),
        (lambda m, b: files_of(m).update(more="0" * 64), "is not in it"),
        (lambda m, b: files_of(m).pop("written.json") and None, "is not whole"),
        (lambda m, b: m["checkpoints"].clear(), "is not whole"),
        (lambda m, b: m["environments"].clear(), "does not know"),
        (lambda m, b: b.pop("manifest.json") and None, "is not in it"),
        (to(environments=3), "its manifest"),
        (to(schema="ckptmatrix.checkpoints/2"), "its schema"),
        (to(plan="other"), "another run: the plan other"),
        (to(sources="other"), "another run: the code other"),
        (to(tool_version="9"), "another run: ckptmatrix 9"),
        (to(tier="full"), "another run: tier full"),
        (to(device="cuda"), "another run: device cuda"),
    ],
)
def test_what_is_damaged_or_of_another_run_is_refused(
    change: Change, told: str, packed: Path, selected: Selected, site: Site, tmp_path: Path
) -> None:
    refused(changed(packed, tmp_path / "x.zip", change), selected, site, told)


def test_another_way_of_compressing_is_refused(
    packed: Path, selected: Selected, site: Site, tmp_path: Path
) -> None:
    path = changed(packed, tmp_path / "x.zip", lambda m, b: None, zipfile.ZIP_LZMA)
    refused(path, selected, site, "compressed in a way")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.99])
def test_half_a_file_is_refused(
    kept: float, packed: Path, selected: Selected, site: Site, tmp_path: Path
) -> None:
    data = packed.read_bytes()
    path = tmp_path / "x.zip"
    path.write_bytes(data[: int(len(data) * kept)])
    refused(path, selected, site, "no artifact of checkpoints")


def test_no_file_at_all_is_told(selected: Selected, site: Site, tmp_path: Path) -> None:
    refused(tmp_path / "missing.zip", selected, site, "No such file")


def test_a_link_comes_out_as_a_file(
    packed: Path, selected: Selected, site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(path, "w") as other:
        for entry in archive.infolist():
            entry.external_attr = 0o120777 << 16
            other.writestr(entry, archive.read(entry))
    unpack(path, selected, site)
    assert not [one for one in site.home.root.rglob("*") if one.is_symlink()]
