"""What has to change in one checkpoint, decided before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format import rewriting_archives
from ckptmatrix.checkpoint.format.listing import listing
from ckptmatrix.checkpoint.format.names import (
    PICKLED_STATES,
    TRAINER_STATE,
    FileKind,
    WeightFormat,
    kind_of,
    weights_file,
)
from ckptmatrix.checkpoint.format.pickles import DIRECTORY_OPCODES
from ckptmatrix.checkpoint.format.rewriting_archives import (
    Archive,
    DamagedError,
    DangerousError,
    understood,
)
from ckptmatrix.checkpoint.format.rewriting_pickles import Call
from ckptmatrix.checkpoint.repair import random_state_files, state_files, weight_files
from ckptmatrix.checkpoint.repair.carrying import carried
from ckptmatrix.checkpoint.repair.random_state_files import StepCount
from ckptmatrix.checkpoint.repair.state_files import FileChange
from ckptmatrix.checkpoint.repair.weight_files import StoredModel, WantedWeights
from ckptmatrix.errors import UsageError
from ckptmatrix.knowledge.releases import ACCELERATE, WeightsRead

_PICKLED = (*PICKLED_STATES, FileKind.RANDOM_STATES, FileKind.CUSTOM)
"""What is read whole, and written anew where something changes."""


@dataclass(frozen=True)
class RepairOptions:
    """What the user asked for."""

    weights: WantedWeights = WantedWeights.AUTO
    """Formats of the weights."""
    step: int | None = None
    """`accelerator.step`, if it is to be set."""
    scheduler_step: int | None = None
    """Steps that the scheduler has made, for a checkpoint without `scheduler.bin`."""
    tied: Mapping[str, str] = field(default_factory=dict)
    """Tied weight that the file left out -> the weight that it is."""


@dataclass(frozen=True)
class Rewritten:
    """A pickled file with a new graph; its storages stay."""

    name: str
    """Its name in the checkpoint."""
    source: Archive | None
    """Where its storages are; None for a file that is made anew."""
    root: Any
    """Its new graph."""


@dataclass(frozen=True)
class RepairPlan:
    """What is going to be written."""

    source: Path
    """The checkpoint."""
    models: tuple[StoredModel, ...]
    """Its models."""
    formats: tuple[WeightFormat, ...]
    """The formats that their weights are going to have."""
    rewritten: tuple[Rewritten, ...]
    """Pickled files that change."""
    changes: tuple[FileChange, ...]
    """What changes, and why."""
    step: StepCount
    """`accelerator.step` of the last process."""
    archives: Mapping[str, Archive]
    """Every pickled state file of the source, by name."""
    carried: tuple[str, ...]
    """Files of the source that are carried over as they are."""

    @property
    def roots(self) -> dict[str, Any]:
        """Every pickled state file of the repaired copy -> its graph."""
        before = {name: archive.root for name, archive in self.archives.items()}
        return {**before, **{file.name: file.root for file in self.rewritten}}


def make(source: Path, options: RepairOptions) -> RepairPlan:
    """Decide what has to change.

    Raises:
        UsageError: this is no accelerate checkpoint, or an option does not fit it.
        DangerousError: a file names what runs code, or was not read to its end.
        DamagedError: a file is damaged, or something is missing that can't be made up.
    """
    found = listing(source)
    names = [name for name in found.files if "/" not in name]
    kinds = {name: kind[0] for name in names if (kind := kind_of(name))}
    for name in names:
        if found.files[name].problem and (name in kinds or weights_file(name)):
            raise DamagedError(f"{name} {found.files[name].problem}.", "Copy the real file there.")
    pickled = [name for name in names if kinds.get(name) in _PICKLED]
    archives: dict[str, Archive] = {}
    left = DIRECTORY_OPCODES
    for name in pickled:
        archives[name] = rewriting_archives.read(source / name, left)
        left -= archives[name].opcodes
    _check_kind(source, names, set(map(kinds.__getitem__, pickled)))
    for archive in archives.values():
        if archive.dangerous:
            raise DangerousError(
                f"{archive.path.name} names {', '.join(archive.dangerous[:4])}, which runs code, "
                "or may, when it is loaded.",
                "Load it nowhere, unless you know who wrote it; nothing was written.",
            )
        if kinds[archive.path.name] is not FileKind.CUSTOM and not _is_dict(archive.root):
            raise DamagedError(f"{archive.path.name} is damaged: it holds no dict.")
        archive.check()
    with understood("a file of weights"):
        models = weight_files.find(source, options.tied)
    changes: list[FileChange] = []
    rewritten: list[Rewritten] = []
    step: StepCount | None = None
    beside = random_state_files.step_beside(source, options.step)
    for name, archive in archives.items():
        root: Any
        made: list[FileChange]
        with understood(name):
            match kinds[name]:
                case FileKind.RANDOM_STATES:
                    root, made, step = random_state_files.completed(archive, name, beside)
                case FileKind.CUSTOM:
                    root, made = state_files.older_spelling(archive.root, name)
                case _:
                    root, made = state_files.plain_scalars(archive.root, name)
        if made:
            rewritten.append(Rewritten(name, archive, root))
            changes += made
    if step is None:
        name, root, change, step = random_state_files.step_alone(beside)
        rewritten.append(Rewritten(name, None, root))
        changes.append(change)
    if options.scheduler_step is not None:
        with understood(FileKind.OPTIMIZER.file()):
            new, change = _scheduler(archives, options.scheduler_step)
        rewritten.append(new)
        changes.append(change)
    formats = weight_files.formats_for(models, options.weights)
    changes += _weight_changes(models, formats, options)
    replaced = {file.name for file in rewritten}
    for model in models:
        replaced |= set(model.files) - model.kept(formats)
    kept, left_out = carried(source, found, replaced, left)
    return RepairPlan(
        source,
        tuple(models),
        formats,
        tuple(rewritten),
        (*changes, *left_out),
        step,
        archives,
        tuple(kept),
    )


def _is_dict(root: Any) -> bool:
    return isinstance(root, dict) or (isinstance(root, Call) and bool(root.items))


def _check_kind(source: Path, names: list[str], pickled: set[FileKind]) -> None:
    if pickled & {FileKind.RANDOM_STATES, FileKind.OPTIMIZER}:
        return
    if TRAINER_STATE in names or "optimizer.pt" in names:
        raise UsageError(
            f"{source} was written by transformers' Trainer, not by Accelerator.save_state.",
            "Resume it with Trainer(resume_from_checkpoint=...); its files have other names.",
        )
    optimizer = FileKind.OPTIMIZER.file()
    raise UsageError(
        f"{source} is no directory of Accelerator.save_state: no {optimizer}, no random states.",
        f"Give the directory that holds {optimizer}.",
    )


def _scheduler(found: Mapping[str, Archive], step: int) -> tuple[Rewritten, FileChange]:
    """A scheduler's state from the optimizer's learning rates and a count of steps."""
    name, optimizer = FileKind.SCHEDULER.file(), FileKind.OPTIMIZER.file()
    if name in found:
        raise UsageError(f"--scheduler-step: the checkpoint has a {name}.", "Leave it out.")
    if optimizer not in found:
        raise UsageError(f"--scheduler-step needs {optimizer}, which is missing.")
    root, _ = state_files.plain_scalars(found[optimizer].root, optimizer)
    groups = root["param_groups"] if isinstance(root, dict) else []
    rates = [group["lr"] for group in groups]
    if not rates or any(isinstance(rate, Call) for rate in rates):
        raise UsageError(f"--scheduler-step: the learning rates in {optimizer} are no numbers.")
    state = {
        "last_epoch": step,
        "_step_count": step + 1,
        "_last_lr": rates,
        "base_lrs": [group.get("initial_lr", group["lr"]) for group in groups],
        "lr_lambdas": [None] * len(groups),
    }
    spans = ACCELERATE.spans_of(sees_schedulers=False)
    overlooking = ", and ".join(span.up_to for span in spans)
    why = f"accelerate {overlooking}, did not recognise torch 2's schedulers and saved none"
    what = f"made from {optimizer}'s learning rates, {step} steps (--scheduler-step)"
    return Rewritten(name, None, state), FileChange(name, what, why)


def _weight_changes(
    models: list[StoredModel], formats: tuple[WeightFormat, ...], options: RepairOptions
) -> list[FileChange]:
    changes = []
    for model in models:
        for form in formats:
            name = model.file(form)
            if name in model.kept(formats):
                continue
            if name not in model.files:
                what = f"the weights of {', '.join(model.origin)} in the other format"
                changes.append(FileChange(name, what, _READERS[form]))
            elif name in model.stale:
                what = f"the weights of {', '.join(model.origin)} instead of its own"
                why = "it was left over from an earlier save, and some releases would take it"
                changes.append(FileChange(name, what, why))
            for tied in model.added if form is WeightFormat.BIN else ():
                why = f"safetensors leaves out tied weights; readers {_STRICT} need every name"
                changes.append(FileChange(name, f"{tied} is there, as {options.tied[tied]}", why))
        wanted = {model.file(form) for form in formats}
        for name in model.files:
            if name not in wanted:
                named = weights_file(name)
                safe = named is None or named.format is WeightFormat.SAFETENSORS
                why = f"{_KNOWING} and newer would prefer it" if safe else "not asked for"
                changes.append(FileChange(name, "left out", why))
    return changes


_KNOWING = ACCELERATE.first_with(weights=WeightsRead.BY_NAME)
_STRICT = ACCELERATE.span_of(knows_shared_tensors=False).up_to
_READERS = {
    WeightFormat.BIN: f"accelerate before {_KNOWING} looks for no other name",
    WeightFormat.SAFETENSORS: f"accelerate {_KNOWING} and newer looks for it first",
}
"""Format -> who needs it."""
