"""Write a repaired checkpoint: whole or not at all, every component compared with the source."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format import rewriting_archives, rewriting_pickles, rewriting_tensors
from ckptmatrix.checkpoint.format.names import WeightFormat
from ckptmatrix.checkpoint.repair import weight_files
from ckptmatrix.checkpoint.repair.carrying import copy_files
from ckptmatrix.checkpoint.repair.limits import Limit, limits_of
from ckptmatrix.checkpoint.repair.repair_plan import RepairOptions, RepairPlan, Rewritten, make
from ckptmatrix.checkpoint.repair.state_files import FileChange
from ckptmatrix.errors import CkptmatrixError, UsageError


@dataclass(frozen=True)
class Report:
    """What `repair` did."""

    source: str
    """The checkpoint; untouched."""
    destination: str
    """The repaired copy."""
    step: str
    """Value and origin of `step`."""
    step_known: bool
    """Whether gradients are applied where they would have been; else that can't be known."""
    weights: tuple[WeightFormat, ...]
    """Formats of the weights."""
    changes: tuple[FileChange, ...]
    """What was changed and why."""
    carried: tuple[str, ...]
    """Files that were copied as they are."""
    verified: Mapping[str, str]
    """File of the repaired copy -> what it was compared with, and found equal."""
    limits: tuple[Limit, ...]
    """What readers will not restore all the same."""


class VerificationError(CkptmatrixError):
    """The copy is not equal to the source; it was thrown away."""


def repair(source: Path, destination: Path, options: RepairOptions | None = None) -> Report:
    """Write a copy of a checkpoint that every release from 0.15.0 on can load.

    Needs neither torch nor numpy and runs nothing that is in the checkpoint.

    Args:
        source: directory that `Accelerator.save_state` wrote; only read.
        destination: new directory; appears when it is complete and verified, or not at all.
        options: what to do where there is a choice.

    Raises:
        UsageError: an option or the directory does not fit.
        DamagedError: the checkpoint lacks what can't be made up.
        VerificationError: something came out different from the source.
    """
    _check_paths(source, destination)
    plan = make(source, options or RepairOptions())
    partial = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        carried = list(plan.carried)
        copy_files(source, partial, carried)
        for file in plan.rewritten:
            _write_pickled(partial, file)
        _write_weights(partial, plan)
        verified = _verify(plan, partial, carried)
        _sync(partial)
        partial.chmod(source.stat().st_mode & 0o755 | 0o700)
        partial.rename(destination)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise CkptmatrixError(
            f"{destination} could not be written ({error.strerror}).",
            "Make room, or another place.",
        ) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Report(
        str(source),
        str(destination),
        str(plan.step),
        plan.step.known,
        plan.formats if plan.models else (),
        plan.changes,
        tuple(carried),
        verified,
        tuple(limits_of(plan)),
    )


def _check_paths(source: Path, destination: Path) -> None:
    if not source.is_dir():
        raise UsageError(f"{source} is no directory.", "Give the directory of the checkpoint.")
    if not os.access(source, os.R_OK | os.X_OK):
        raise UsageError(f"{source} may not be read.", "Make it readable first.")
    if destination.exists() or destination.is_symlink():
        raise UsageError(f"{destination} exists.", "Give a new path; nothing is overwritten.")
    if not destination.absolute().parent.is_dir():
        raise UsageError(f"{destination.parent} is no directory.", "Create it first.")
    if source.resolve() in destination.absolute().parent.resolve().joinpath("x").parents:
        raise UsageError(f"{destination} lies inside {source}.", "Give a path outside of it.")


def _write_pickled(partial: Path, file: Rewritten) -> None:
    archive = file.source
    records: dict[str, Any] = {}
    if archive:
        for key in archive.storages:
            records[key] = (archive.sizes[key], lambda key=key: archive.chunks(key))
    rewriting_archives.write(partial / file.name, file.root, records)


def _write_weights(partial: Path, plan: RepairPlan) -> None:
    """Write the weights; with the source's date, as a newer file would look like a later save."""
    for model in plan.models:
        for form in plan.formats:
            name = model.file(form)
            if name in model.kept(plan.formats):
                continue
            write = (
                rewriting_tensors.write_archive
                if form is WeightFormat.BIN
                else rewriting_tensors.write_safetensors
            )
            write(partial / name, model.weights)
            status = (plan.source / model.origin[0]).stat()
            (partial / name).chmod(status.st_mode & 0o666)
            os.utime(partial / name, ns=(status.st_atime_ns, status.st_mtime_ns))


def _verify(plan: RepairPlan, partial: Path, carried: list[str]) -> dict[str, str]:
    """Read everything back and compare it with the source.

    Raises:
        VerificationError: something is different.
    """
    verified = {}
    for name in carried:
        _require(_digest(partial / name) == _digest(plan.source / name), name)
        verified[name] = f"{name}, byte for byte"
    for file in plan.rewritten:
        written = rewriting_archives.read(partial / file.name)
        _require(_normal(written.root, written) == _normal(file.root, file.source), file.name)
        verified[file.name] = f"{file.name}, value for value" if file.source else "what was given"
    copies = weight_files.find(partial, {}) if plan.models else []
    for model, copy in zip(plan.models, copies, strict=True):
        left_out = {name for names in model.shared for name in names[1:]}
        for form in plan.formats:
            name = model.file(form)
            if name in model.kept(plan.formats):
                continue
            read = (
                rewriting_tensors.read_archive
                if form is WeightFormat.BIN
                else rewriting_tensors.read_safetensors
            )
            found = read(partial / name)
            names = set(model.weights)
            expected = names - left_out if form is WeightFormat.SAFETENSORS else names
            same = (
                rewriting_tensors.equal(found[n], model.weights[n]) for n in expected & set(found)
            )
            _require(set(found) == expected and all(same), name)
            verified[name] = f"{', '.join(model.origin)}, tensor for tensor"
        _require(set(model.weights) - left_out <= set(copy.weights), f"model {model.index}")
    return verified


def _normal(root: Any, archive: rewriting_archives.Archive | None) -> Any:
    """A graph in comparable form, with the contents of its storages as digests."""

    def content(storage: rewriting_pickles.Storage) -> str:
        assert archive is not None
        digest = sha256()
        for chunk in archive.chunks(storage.key):
            digest.update(chunk)
        return digest.hexdigest()

    return rewriting_pickles.normal(root, content)


def _digest(path: Path) -> bytes:
    digest = sha256()
    with rewriting_archives.opened(path) as file:
        while chunk := file.read(rewriting_archives.CHUNK):
            digest.update(chunk)
    return digest.digest()


def _require(same: bool, name: str) -> None:
    if not same:
        raise VerificationError(
            f"{name} came out different from the source; nothing was written.",
            "Report this as a bug, with the output of `ckptmatrix inspect`.",
        )


def _sync(partial: Path) -> None:
    """Put the files on the disk before the directory gets its name."""
    for path in partial.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
