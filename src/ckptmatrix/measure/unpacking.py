"""Unpacking checkpoints that another machine packed. The file is hostile until shown otherwise.

Nothing is extracted by a path that the archive chose: a run knows which checkpoints it needs and
where they go, and takes these alone. A file's name inside its checkpoint must stay there, its bytes
must be those that the writer hashed, and an archive of something else is refused in a sentence.
"""

import hashlib
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

import msgspec

from ckptmatrix.environments.other_machine import Recorded, as_built, keep_record
from ckptmatrix.environments.site import Site
from ckptmatrix.errors import UsageError
from ckptmatrix.measure.checkpoints import Written, find_written, place_of
from ckptmatrix.measure.packing import (
    CHUNK,
    MANIFEST,
    SCHEMA,
    Manifest,
    checkpoint_name,
    manifest_of,
)
from ckptmatrix.model import Environment, EnvironmentStatus
from ckptmatrix.plan.selected import Selected
from ckptmatrix.util.files import sha256_of
from ckptmatrix.util.home import Home
from ckptmatrix.util.unfinished import folder_in

_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*", re.ASCII)
_MOST_MANIFEST = 64 * 2**20
"""Bytes; a manifest of the largest tier is of some hundred thousand."""


def unpack(path: Path, selected: Selected, site: Site) -> Manifest:
    """Put the checkpoints of an artifact where a run looks for them, every file's digest verified.

    Args:
        path: what `pack` wrote.
        selected: the whole plan; it must be the one that was packed for.
        site: where they go and are going to be loaded.

    Raises:
        UsageError: it is no artifact, damaged, or was packed for something else.
    """
    with _opened(path) as archive:
        manifest = _manifest(path, archive)
        _refuse_other(path, manifest, manifest_of(selected, {}))
        _refuse_size(path, archive, manifest, site.home)
        for writer, scenario in selected.plan.checkpoints:
            recorded = _recorded(path, manifest, writer)
            if recorded.record.status == EnvironmentStatus.READY:
                files = manifest.checkpoints.get(checkpoint_name(writer, scenario), {})
                built = as_built(writer, recorded)
                arguments = (site, built, scenario)
                _unpack_one(path, archive, files, place_of(*arguments))
                if not _whole(find_written(*arguments, faults=True), files):
                    shutil.rmtree(place_of(*arguments))
                    _damaged(path, f"the checkpoint {writer.id} / {scenario} is not whole")
        # Last, so that what was refused in the middle is not taken for what a run needs.
        for environment in selected.plan.environments:
            keep_record(environment, site, _recorded(path, manifest, environment))
    return manifest


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except OSError as error:
        raise UsageError(
            f"{path} cannot be unpacked: {error.strerror or error}",
            "name the file that `ckptmatrix write` wrote, and see that there is room",
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        _damaged(path, str(error))


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    info = _info(path, archive, MANIFEST)
    if info.file_size > _MOST_MANIFEST:
        _damaged(path, f"its manifest is of {info.file_size:,} bytes")
    data = archive.read(info)
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _damaged(path, f"its manifest: {error}")
    if manifest.schema != SCHEMA:
        _damaged(path, f"its schema is {manifest.schema!r}, not {SCHEMA!r}")
    return manifest


def _recorded(path: Path, manifest: Manifest, environment: Environment) -> Recorded:
    if environment.id not in manifest.environments:
        _damaged(path, f"it does not know {environment.id}")
    recorded = manifest.environments[environment.id]
    for package in recorded.record.packages:
        # Readers are installed with these; a line of pip's options would be obeyed.
        if not _PINNED.fullmatch(package):
            _damaged(path, f"{package!r} is no version of a package")
    return recorded


def _refuse_other(path: Path, packed: Manifest, wanted: Manifest) -> None:
    for what, name in (
        ("ckptmatrix", "tool_version"),
        ("tier", "tier"),
        ("device", "device"),
        ("the plan", "plan"),
        ("the code", "sources"),
    ):
        there, here = str(getattr(packed, name)), str(getattr(wanted, name))
        if there != here:
            raise UsageError(
                f"{path} was packed for another run: {what} {there[:60]}, here {here[:60]}",
                "`ckptmatrix write` with the same options and from the same checkout",
            )


def _refuse_size(path: Path, archive: zipfile.ZipFile, manifest: Manifest, home: Home) -> None:
    """Refuse what would fill the disk, whatever it is said to be packed from."""
    sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    files = [sha256 for files in manifest.checkpoints.values() for sha256 in files.values()]
    total = sum(sizes.get(sha256, 0) for sha256 in files)
    home.checkpoints.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home.checkpoints).free
    if total > free:
        raise UsageError(
            f"{path} unpacks to {total:,} bytes, {free:,} are free in {home.checkpoints}",
            "make room, or name another place with CKPTMATRIX_HOME",
        )


def _unpack_one(path: Path, archive: zipfile.ZipFile, files: dict[str, str], place: Path) -> None:
    """Unpack one checkpoint's folder; it appears whole or not at all.

    What is there already stays untouched, since another run may be reading it.
    """
    if _there(place, files):
        return
    with folder_in(place.parent) as staged:
        try:
            for name, sha256 in files.items():
                if not _harmless(name):
                    _damaged(path, f"a file is to be called {name!r}")
                target = staged / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as out:
                    _copy(path, archive, sha256, out)
            shutil.rmtree(place, ignore_errors=True)
            staged.rename(place)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            _damaged(path, f"two files are to lie in one place: {error.filename}")


def _whole(written: Written | None, files: dict[str, str]) -> bool:
    """Whether a checkpoint is what its writer hashed, and lies where it was put."""
    if written is None:
        return False
    directory = written.record.directory
    names = [f"{directory}/{name}" for name in written.record.files]
    return all(map(_harmless, filter(None, [directory, *names]))) and all(
        files.get(f"{directory}/{name}") == sha256 for name, sha256 in written.hashes.items()
    )


def _there(place: Path, files: dict[str, str]) -> bool:
    """Whether a folder holds these files and no others."""
    found = {}
    for file in place.rglob("*"):
        if file.is_file():
            found[file.relative_to(place).as_posix()] = sha256_of(file)
    return bool(found) and found == files


def _harmless(name: str) -> bool:
    """Whether a name stays within its folder, on every system."""
    path = PurePosixPath(name)
    return (
        str(path) == name
        and bool(path.parts)
        and not path.is_absolute()
        and not {"", ".", ".."} & set(path.parts)
        and not any(character in name for character in "\\:\0")
    )


def _copy(path: Path, archive: zipfile.ZipFile, sha256: str, out: IO[bytes]) -> None:
    total = hashlib.sha256()
    with archive.open(_info(path, archive, sha256)) as data:
        while chunk := data.read(CHUNK):
            total.update(chunk)
            out.write(chunk)
    if total.hexdigest() != sha256:
        _damaged(path, f"{sha256[:12]} does not hold what it is named by")


def _info(path: Path, archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    try:
        info = archive.getinfo(name)
    except KeyError:
        _damaged(path, f"{name[:12]} is not in it")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        _damaged(path, f"{name[:12]} is compressed in a way that is not used")
    return info


def _damaged(path: Path, why: str) -> NoReturn:
    raise UsageError(
        f"{path} is no artifact of checkpoints, or damaged: {why}",
        "take it from `ckptmatrix write` again",
    )
