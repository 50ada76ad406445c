"""Checkpoints: one for each writer and scenario, made by a worker, reused while its key holds."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import msgspec
from filelock import FileLock

from ckptmatrix.environments.bundle import core_digest, source_digest
from ckptmatrix.environments.installation import Installation
from ckptmatrix.environments.site import Site
from ckptmatrix.environments.worker_process import Worker, WorkerError
from ckptmatrix.measure.faults import fault_of, fault_of_host
from ckptmatrix.measure.sources import Sources, project_at
from ckptmatrix.model import CheckpointRecord, CheckpointStatus, Fault
from ckptmatrix.util.files import known_sha256_of, write_atomically
from ckptmatrix.util.home import digest
from ckptmatrix.util.room import refuse_full
from ckptmatrix.util.unfinished import empty, folder_in
from ckptmatrix.worker.measured import FirstDifference, Trace
from ckptmatrix.worker.protocol import Returned, Saved, SaveFailed, Unsupported, Write, WriteAnswer
from ckptmatrix.worker.traces import telling
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
    unreproduced: FirstDifference | None = None
    """Where the neutral state does not lead to that in the writer's own environment."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Path -> SHA-256 of each file."""
    tied: dict[str, str] = field(default_factory=dict)
    """Weight that the files left out -> the weight that it shares its memory with."""
    fault: Fault | None = None
    """What went wrong beside the release, if that is why there is none: no outcome of it."""

    @property
    def directory(self) -> Path:
        """The checkpoint's directory."""
        return self.place / self.record.directory

    @cached_property
    def content(self) -> str:
        """Digest of all that a reader's outcome can depend on, whoever wrote it.

        Writers of one format era often leave the very same bytes.
        """
        return digest(
            self.record.directory,
            self.hashes,
            self.digest,
            self.record.unsaved,
            telling(self.trace),
            asdict(self.unreproduced) if self.unreproduced else None,
        )

    @property
    def truth(self) -> Path:
        """Stem of the neutral state's two files."""
        return self.place / "truth"

    @property
    def intact(self) -> bool:
        """Whether every file, the neutral state's too, still is what it was by its SHA-256."""
        try:
            return self.digest == _truth_digest(self.place) and all(
                known_sha256_of(self.directory / name) == known
                for name, known in self.hashes.items()
            )
        except OSError:
            return False


def _truth_digest(place: Path) -> str:
    """Digest of the neutral state that lies in a place, as its writer made it; empty if none."""
    stems = [path.with_suffix("") for path in place.glob("truth*.json")]
    stems.sort(key=lambda stem: int(stem.name.partition("@")[2] or 0))
    files = [Path(f"{stem}{end}") for stem in stems for end in (".json", ".safetensors")]
    return known_sha256_of(*files) if files else ""


def checkpoint_key(site: Site, built: Installation, scenario: str) -> str:
    """Digest of everything that a checkpoint depends on."""
    source = source_digest(site.config.scenarios[scenario], site.config.root)
    return digest(built.frozen, built.hardware, core_digest(), source)


def find_written(
    site: Site, built: Installation, scenario: str, faults: bool = False
) -> Written | None:
    """The checkpoint that was written before, if it still is what it was.

    Args:
        site: where it lies.
        built: its writer.
        scenario: name of its scenario.
        faults: give a fault as well; else it is as if nothing were there, and tried again.
    """
    place = place_of(site, built, scenario)
    try:
        stamp = msgspec.json.decode((place / _STAMP).read_bytes(), type=_CheckpointStamp)
    except (OSError, msgspec.DecodeError):
        return None
    if not project_at(site.config.root).unchanged(stamp.sources):
        return None
    written = stamp.written(place)
    if written.fault:
        return written if faults else None
    return written if written.intact else None


def written_now(
    site: Site, built: Installation, scenario: str, worker: Callable[[], Worker]
) -> Written:
    """The checkpoint that lies there, or one that is written now: by one process alone, whichever
    other runs there are.
    """
    place = place_of(site, built, scenario)
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):
        found = find_written(site, built, scenario)
        return found or write(site, built, scenario, worker)


def write(site: Site, built: Installation, scenario: str, worker: Callable[[], Worker]) -> Written:
    """Let a worker write a checkpoint; it appears whole or not at all.

    What ends otherwise than by the save is a fault, and kept as one: those who only load in the
    same run need not try it again.

    Raises:
        OSError: there is no room for it, which is neither an outcome nor kept.
    """
    place = place_of(site, built, scenario)
    with folder_in(place.parent) as staged:
        device = Device(site.device(built.environment))
        request = Write(site.config.scenarios[scenario], device, str(staged))
        key = checkpoint_key(site, built, scenario)
        log = str(site.home.logs / f"{built.environment.short}.log")
        found, touched = _asked(request, worker, scenario, built.environment.id, log)
        if isinstance(found, (SaveFailed, Fault)):
            refuse_full(staged)
        sources = project_at(site.config.root).named(touched)
        stamp = replace(_stamp_of(found, built, scenario, key), sources=sources)
        write_atomically(staged / _STAMP, msgspec.json.encode(stamp))
        shutil.rmtree(place, ignore_errors=True)
        staged.rename(place)
    return stamp.written(place)


def _asked(
    request: Write, worker: Callable[[], Worker], scenario: str, environment: str, log: str
) -> tuple[WriteAnswer | Fault, Mapping[str, str]]:
    """What came of the writing, also where the writer did not start, or gave no answer, and what
    it hangs on.
    """
    try:
        answer = worker().ask(request, WRITE_SECONDS, lambda: empty(Path(request.target)))
    except WorkerError as error:
        return replace(fault_of_host(error, scenario, environment), log=log), {}
    if isinstance(answer, Returned):
        return answer.value, answer.sources
    return fault_of(answer, scenario, environment, log), answer.sources


@dataclass(frozen=True)
class _CheckpointStamp:
    """What is kept beside a checkpoint: `Written` without its place."""

    record: CheckpointRecord
    digest: str = ""
    trace: Trace = ()
    unreproduced: FirstDifference | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    sources: Sources = field(default_factory=dict)

    def written(self, place: Path) -> Written:
        return Written(
            self.record,
            place,
            self.digest,
            self.trace,
            self.unreproduced,
            self.hashes,
            self.tied,
            self.fault,
        )


def _stamp_of(
    found: WriteAnswer | Fault, built: Installation, scenario: str, key: str
) -> _CheckpointStamp:
    writer = built.environment.id
    if isinstance(found, Fault):
        reason = f"ckptmatrix failed on it: {found.sentence}"
        record = CheckpointRecord(writer, scenario, CheckpointStatus.FAILED, reason, key=key)
        return _CheckpointStamp(record, fault=found)
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
            note=found.note,
        )
        return _CheckpointStamp(
            record, found.digest, found.trace, found.unreproduced, found.hashes, found.tied
        )
    unsupported = isinstance(found, Unsupported)
    status = CheckpointStatus.UNSUPPORTED if unsupported else CheckpointStatus.FAILED
    return _CheckpointStamp(CheckpointRecord(writer, scenario, status, found.reason, key=key))


def place_of(site: Site, built: Installation, scenario: str) -> Path:
    """The folder of a checkpoint, whether it is there or not."""
    key = checkpoint_key(site, built, scenario)
    return site.home.checkpoints / built.environment.short / f"{scenario}-{key[:12]}"
