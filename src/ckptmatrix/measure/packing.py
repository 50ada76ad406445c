"""Checkpoints as one file, from the machine that writes them to those that load them.

A ZIP with a manifest and, once each, what the files hold, named by its SHA-256: releases of one
format era write the very same bytes. The manifest names whose checkpoints they are and the writers'
frozen lists. No path in the file says where anything goes, and nothing in it is run by unpacking.
"""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ckptmatrix import __version__
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.other_machine import Recorded, record_of
from ckptmatrix.environments.site import Site
from ckptmatrix.measure.checkpoints import place_of
from ckptmatrix.measure.shard_record import measuring_digest
from ckptmatrix.model import Environment
from ckptmatrix.plan.selected import Selected
from ckptmatrix.plan.shards import plan_digest
from ckptmatrix.util.files import sha256_of
from ckptmatrix.util.unfinished import folder_in

SCHEMA = "ckptmatrix.checkpoints/1"
"""The schema of the manifest; another one is refused."""

MANIFEST = "manifest.json"
"""Name of the manifest in the archive."""

CHUNK = 2**20
"""Bytes read at a time."""


@dataclass(frozen=True)
class Manifest:
    """What an artifact says of itself."""

    tool_version: str
    """Version of ckptmatrix that packed it."""
    tier: str
    """Tier, with what narrowed it, in words."""
    device: str
    """The devices that they are written and loaded on, in words."""
    plan: str
    """Digest of the whole plan."""
    sources: str
    """Digest of the code that measures."""
    environments: dict[str, Recorded]
    """Id of each of the plan's environments -> what it was on the machine that wrote."""
    checkpoints: dict[str, dict[str, str]]
    """Writer and scenario -> path in the checkpoint's folder -> SHA-256 of the file."""
    schema: str = SCHEMA
    """Always `SCHEMA`."""


def manifest_of(selected: Selected, built: dict[Environment, Installation]) -> Manifest:
    """All of the manifest but the checkpoints; `selected` is the whole plan."""
    return Manifest(
        __version__,
        selected.selection.describe(),
        " and ".join(selected.plan.devices),
        plan_digest(selected.plan),
        measuring_digest(selected.plan, selected.config),
        {environment.id: record_of(one) for environment, one in built.items()},
        {},
    )


def pack(
    path: Path, selected: Selected, site: Site, built: dict[Environment, Installation]
) -> Manifest:
    """Pack every checkpoint of a plan.

    Args:
        path: the file to write or replace; it appears whole or not at all.
        selected: the whole plan; its checkpoints were written.
        site: where they lie and were written.
        built: the plan's environments.

    Raises:
        OSError: the file cannot be written.
    """
    manifest = manifest_of(selected, built)
    path.parent.mkdir(parents=True, exist_ok=True)
    with folder_in(path.parent) as staged:
        with zipfile.ZipFile(staged / path.name, "w", zipfile.ZIP_DEFLATED) as archive:
            for writer, scenario in selected.plan.checkpoints:
                if built[writer].ready:
                    place = place_of(site, built[writer], scenario)
                    manifest.checkpoints[checkpoint_name(writer, scenario)] = _packed(
                        place, archive
                    )
            archive.writestr(_entry(MANIFEST), msgspec.json.encode(manifest))
        (staged / path.name).replace(path)
    return manifest


def _packed(place: Path, archive: zipfile.ZipFile) -> dict[str, str]:
    """Add the files of a folder, but for those that hold what is in the archive already."""
    files = {}
    for file in sorted(one for one in place.rglob("*") if one.is_file()):
        sha256 = sha256_of(file)
        if sha256 not in archive.NameToInfo:
            with file.open("rb") as data, archive.open(_entry(sha256), "w") as out:
                shutil.copyfileobj(data, out, CHUNK)
        files[file.relative_to(place).as_posix()] = sha256
    return files


def _entry(name: str) -> zipfile.ZipInfo:
    """An entry without the time, so that equal checkpoints make equal artifacts."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def checkpoint_name(writer: Environment, scenario: str) -> str:
    """What a checkpoint is called in the manifest."""
    return f"{writer.id}/{scenario}"
