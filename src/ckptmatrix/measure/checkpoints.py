"""Checkpoints: one for each writer and scenario, made by a worker, reused while its key holds."""

import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from ckptmatrix.environments.bundle import core_digest, source_digest
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.worker_process import Worker
from ckptmatrix.model import CheckpointRecord, CheckpointStatus
from ckptmatrix.util.files import write_atomically
from ckptmatrix.util.home import digest
from ckptmatrix.worker.protocol import (
    Answer,
    Returned,
    Saved,
    SaveFailed,
    Trace,
    Unsupported,
    Write,
    WriteAnswer,
)
from ckptmatrix.worker.words import Device

WRITE_SECONDS = 300
"""Time limit for one checkpoint."""

_STAMP = "written.json"


@dataclass(frozen=True)
class Written:
    """A checkpoint, or the reason why there is none."""

    record: CheckpointRecord
    """What was written."""
    place: Path
    """Folder that holds the checkpoint's directory and the truth beside it."""
    digest: str = ""
    """Digest of the neutral state: writers that leave the very same state share it."""
    trace: Trace = ()
    """The writer's own training after the save."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Path -> SHA-256 of each file."""
    tied: dict[str, str] = field(default_factory=dict)
    """Weight that the files left out -> the weight that it shares its memory with."""

    @property
    def directory(self) -> Path:
        """The checkpoint's directory."""
        return self.place / self.record.directory

    @cached_property
    def content(self) -> str:
        """Digest of all that a reader's outcome can depend on, whoever wrote it.

        Writers of one format era often leave the very same bytes.
        """
        return digest(self.record.directory, self.hashes, self.digest, self.record.unsaved)

    @property
    def truth(self) -> Path:
        """Stem of the neutral state's two files."""
        return self.place / "truth"


def checkpoint_key(site: Site, built: Installation, scenario: str) -> str:
    """Digest of everything that a checkpoint depends on."""
    source = source_digest(site.config.scenarios[scenario], site.config.root)
    return digest(built.frozen, site.device, core_digest(), source)


def find_written(site: Site, built: Installation, scenario: str) -> Written | None:
    """The checkpoint that was written before, if it still is what it was."""
    place = place_of(site, built, scenario)
    try:
        written = msgspec.json.decode((place / _STAMP).read_bytes(), type=_CheckpointStamp).written(
            place
        )
    except (OSError, msgspec.DecodeError):
        return None
    for name, size in written.record.files.items():
        path = written.directory / name
        if not path.exists() or path.stat().st_size != size:
            return None
    return written


def write(site: Site, built: Installation, scenario: str, worker: Worker) -> Written:
    """Let a worker write a checkpoint; it appears whole or not at all."""
    place = place_of(site, built, scenario)
    place.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=place.parent, prefix=".writing-"))
    try:
        request = Write(site.config.scenarios[scenario], Device(site.device), str(staged))
        found = _found(worker.ask(request, WRITE_SECONDS), built)
        key = checkpoint_key(site, built, scenario)
        stamp = _stamp_of(found, built.environment.id, scenario, key)
        write_atomically(staged / _STAMP, msgspec.json.encode(stamp))
        shutil.rmtree(place, ignore_errors=True)
        staged.rename(place)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return stamp.written(place)


def _found(answer: Answer[WriteAnswer], built: Installation) -> WriteAnswer:
    """What came of the writing, also where the writer gave no answer."""
    if isinstance(answer, Returned):
        return answer.value
    reason = answer.detail.strip().splitlines()[-1]
    reason = reason.replace(str(built.directory), built.environment.id)
    return SaveFailed(f"the writer {answer.how}: {reason}")


@dataclass(frozen=True)
class _CheckpointStamp:
    """What is kept beside a checkpoint: `Written` without its place."""

    record: CheckpointRecord
    digest: str = ""
    trace: Trace = ()
    hashes: dict[str, str] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)

    def written(self, place: Path) -> Written:
        return Written(self.record, place, self.digest, self.trace, self.hashes, self.tied)


def _stamp_of(found: WriteAnswer, writer: str, scenario: str, key: str) -> _CheckpointStamp:
    if isinstance(found, Saved):
        record = CheckpointRecord(
            writer,
            scenario,
            CheckpointStatus.WRITTEN,
            files=found.files,
            keys=found.keys,
            unsaved=found.unsaved,
            directory=found.directory,
            key=key,
        )
        return _CheckpointStamp(record, found.digest, found.trace, found.hashes, found.tied)
    unsupported = isinstance(found, Unsupported)
    status = CheckpointStatus.UNSUPPORTED if unsupported else CheckpointStatus.FAILED
    return _CheckpointStamp(CheckpointRecord(writer, scenario, status, found.reason, key=key))


def place_of(site: Site, built: Installation, scenario: str) -> Path:
    """The folder of a checkpoint, whether it is there or not."""
    key = checkpoint_key(site, built, scenario)
    return site.home.checkpoints / built.environment.short / f"{scenario}-{key[:12]}"
