"""Treatments: what is done to a checkpoint before it is loaded."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
from filelock import FileLock

from ckptmatrix.checkpoint.repair import RepairOptions, repair
from ckptmatrix.environments.bundle import repair_digest
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.measure.checkpoints import Written
from ckptmatrix.model import CheckpointStatus, Treatment
from ckptmatrix.util.files import sha256_of, write_atomically
from ckptmatrix.util.home import Home, digest
from ckptmatrix.util.unfinished import folder_in

_STAMP = "repaired.json"


class _RepairStamp(msgspec.Struct, frozen=True):
    """What is kept beside a repaired checkpoint."""

    hashes: dict[str, str]
    """Path -> SHA-256 of each file."""
    reason: str = ""
    """Why repair refused it; empty if it did not."""


def treated(written: Written, treatment: Treatment, home: Home) -> Written:
    """A checkpoint after a treatment; made once for all writers that left the very same bytes."""
    if treatment == Treatment.AS_SAVED or written.record.status != CheckpointStatus.WRITTEN:
        return written
    place = home.root / "repaired" / digest(written.content, written.tied, repair_digest())[:24]
    stamp = _found(written, place)
    if stamp is None:
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{place}.lock"):
            stamp = _found(written, place) or _repaired(written, place)
    status = CheckpointStatus.FAILED if stamp.reason else CheckpointStatus.WRITTEN
    record = replace(written.record, status=status, reason=stamp.reason)
    return replace(written, record=record, place=place, hashes=stamp.hashes)


def _found(written: Written, place: Path) -> _RepairStamp | None:
    """What was repaired before, if all of it still is what it was."""
    try:
        stamp = msgspec.json.decode((place / _STAMP).read_bytes(), type=_RepairStamp)
    except (OSError, msgspec.DecodeError):
        return None
    treated = replace(written, place=place, hashes=stamp.hashes)
    return stamp if stamp.reason or treated.intact else None


def _repaired(written: Written, place: Path) -> _RepairStamp:
    """Repair it into its place, with all that lies beside the original; whole or not at all."""
    with folder_in(place.parent) as staged:
        target = staged / written.record.directory
        shutil.copytree(
            written.place,
            staged,
            ignore=lambda folder, names: [n for n in names if Path(folder, n) == written.directory],
            copy_function=os.link,
            dirs_exist_ok=True,
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        reason = ""
        try:
            repair(written.directory, target, RepairOptions(tied=written.tied))
        except CkptmatrixError as error:
            reason = f"repair refuses it: {error.message}".replace(f"{written.directory}", "it")
        files = [path for path in sorted(target.rglob("*")) if path.is_file()]
        hashes = {str(path.relative_to(target)): sha256_of(path) for path in files}
        stamp = _RepairStamp(hashes, reason)
        write_atomically(staged / _STAMP, msgspec.json.encode(stamp))
        shutil.rmtree(place, ignore_errors=True)  # it is not what it was
        staged.rename(place)
    return stamp
