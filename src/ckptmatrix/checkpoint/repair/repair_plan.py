"""What has to change in one checkpoint, decided before anything is written."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format import rewriting_archives
from ckptmatrix.checkpoint.format.rewriting_archives import Archive, DamagedError
from ckptmatrix.checkpoint.format.rewriting_pickles import Call
from ckptmatrix.checkpoint.repair import state_files, weight_files
from ckptmatrix.checkpoint.repair.state_files import Change
from ckptmatrix.checkpoint.repair.weight_files import Model
from ckptmatrix.errors import UsageError

_STATES = re.compile(r"(optimizer|scheduler|dl_state_dict)(_\d+)?\.bin|scaler\.pt")
_RANDOM = re.compile(r"random_states_(\d+)\.pkl")
_CUSTOM = re.compile(r"custom_checkpoint_\d+\.pkl")
_STEP_FILES = (
    ("train_state.json", "current_step"),  # kohya-ss/sd-scripts
    ("training_state.json", "global_step"),  # SimpleTuner
)


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    weights: str = "auto"
    """`auto`, `both`, `safetensors` or `bin`."""
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
class Plan:
    """What is going to be written."""

    source: Path
    """The checkpoint."""
    models: tuple[Model, ...]
    """Its models."""
    formats: tuple[str, ...]
    """The formats that their weights are going to have."""
    rewritten: tuple[Rewritten, ...]
    """Pickled files that change."""
    changes: tuple[Change, ...]
    """What changes, and why."""
    step: str
    """Value and origin of `step`, for the report."""
    archives: Mapping[str, Archive]
    """Every pickled state file of the source, by name."""

    @property
    def roots(self) -> dict[str, Any]:
        """Every pickled state file of the repaired copy -> its graph."""
        before = {name: archive.root for name, archive in self.archives.items()}
        return {**before, **{file.name: file.root for file in self.rewritten}}

    @property
    def replaced(self) -> set[str]:
        """Files of the source that are not carried over as they are."""
        names = {file.name for file in self.rewritten}
        for model in self.models:
            names.update(set(model.files) - model.kept(self.formats))
        return names


def make(source: Path, options: Options) -> Plan:
    """Decide what has to change.

    Raises:
        UsageError: this is no accelerate checkpoint, or an option does not fit it.
        DamagedError: a file is damaged, or something is missing that can't be made up.
    """
    names = sorted(path.name for path in source.iterdir() if path.is_file())
    found = {n: rewriting_archives.read(source / n) for n in names if _is_pickled(n)}
    _check_kind(source, names, found)
    for archive in found.values():
        archive.check()
    models = weight_files.find(source, options.tied)
    changes: list[Change] = []
    rewritten: list[Rewritten] = []
    step, step_origin = _recorded_step(source, options)
    said = ""
    for name, archive in found.items():
        root: Any = archive.root
        made: list[Change] = []
        if _RANDOM.fullmatch(name):
            root, made, said = _random(archive, name, step, step_origin)
        elif _STATES.fullmatch(name):
            root, made = state_files.plain_scalars(root, name)
        else:
            root, made = state_files.older_spelling(root, name)
        if made:
            rewritten.append(Rewritten(name, archive, root))
            changes += made
    if not any(_RANDOM.fullmatch(name) for name in found):
        new, change = _only_step(options)
        rewritten.append(new)
        changes.append(change)
        said = f"{options.step} (--step)"
    if options.scheduler_step is not None:
        new, change = _scheduler(found, options.scheduler_step)
        rewritten.append(new)
        changes.append(change)
    formats = weight_files.formats_for(models, options.weights)
    changes += _weight_changes(models, formats, options)
    return Plan(source, tuple(models), formats, tuple(rewritten), tuple(changes), said, found)


def _is_pickled(name: str) -> bool:
    return any(pattern.fullmatch(name) for pattern in (_STATES, _RANDOM, _CUSTOM))


def _check_kind(source: Path, names: list[str], found: Mapping[str, Archive]) -> None:
    if any(_RANDOM.fullmatch(n) or n.startswith("optimizer") for n in found):
        return
    if "trainer_state.json" in names or "optimizer.pt" in names:
        raise UsageError(
            f"{source} was written by transformers' Trainer, not by Accelerator.save_state.",
            "Resume it with Trainer(resume_from_checkpoint=...); its files have other names.",
        )
    raise UsageError(
        f"{source} is no directory of Accelerator.save_state: no optimizer.bin, no random states.",
        "Give the directory that holds optimizer.bin.",
    )


def _recorded_step(source: Path, options: Options) -> tuple[int | None, str]:
    """`step` from outside the random states, and where it is from."""
    if options.step is not None:
        return options.step, "--step"
    for name, key in _STEP_FILES:
        try:
            value = json.loads((source / name).read_text())[key]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(value, int):
            return value, f"{name}, {key}"
    return None, ""


def _random(
    archive: Archive, name: str, step: int | None, origin: str
) -> tuple[Any, list[Change], str]:
    """Random states free of numpy, with every key that some release asks for."""
    root = archive.root
    keys = ("random_state", "numpy_random_seed", "torch_manual_seed")
    if not isinstance(root, dict) or any(key not in root for key in keys):
        raise DamagedError(f"{name} is damaged: it lacks one of {', '.join(keys)}.")
    root, changes = state_files.without_numpy_state(root, name)
    value, source = root.get("step"), f"{name}"
    if origin == "--step" or (value is None and step is not None):
        value, source = step, origin
    elif value is None:
        value, source = 0, "nowhere recorded, so what a fresh Accelerator starts from"
    if value != root.get("step"):
        why = "0.32 and 0.33 raise KeyError: 'step' without it; saved from 0.32.0 on"
        changes.append(Change(name, f"step is {value} ({source})", why))
    if "torch_cuda_manual_seed" not in root:
        why = "up to 1.14.0 it is asked for on CPU too; releases before 0.14.0 fail without it"
        changes.append(Change(name, "torch_cuda_manual_seed is an empty list", why))
    plain = {"step": value, **{k: v for k, v in root.items() if k != "step"}}
    plain.setdefault("torch_cuda_manual_seed", [])
    return plain, changes, f"{value} ({source})"


def _only_step(options: Options) -> tuple[Rewritten, Change]:
    """Random states that hold nothing but `step`, where the source has none."""
    name = "random_states_0.pkl"
    if options.step is None:
        raise DamagedError(
            f"{name} is missing, so neither the random states nor step are there.",
            "Give --step N to write one that holds step alone; the random states stay lost.",
        )
    root = {"step": options.step, "torch_cuda_manual_seed": []}
    why = "0.32 and 0.33 raise KeyError: 'step' without the file; random states can't be made up"
    return Rewritten(name, None, root), Change(name, f"step alone: {options.step} (--step)", why)


def _scheduler(found: Mapping[str, Archive], step: int) -> tuple[Rewritten, Change]:
    """A scheduler's state from the optimizer's learning rates and a count of steps."""
    name = "scheduler.bin"
    if name in found:
        raise UsageError("--scheduler-step: the checkpoint has a scheduler.bin.", "Leave it out.")
    if "optimizer.bin" not in found:
        raise UsageError("--scheduler-step needs optimizer.bin, which is missing.")
    root, _ = state_files.plain_scalars(found["optimizer.bin"].root, "optimizer.bin")
    groups = root["param_groups"] if isinstance(root, dict) else []
    rates = [group["lr"] for group in groups]
    if not rates or any(isinstance(rate, Call) for rate in rates):
        raise UsageError("--scheduler-step: the learning rates in optimizer.bin are no numbers.")
    state = {
        "last_epoch": step,
        "_step_count": step + 1,
        "_last_lr": rates,
        "base_lrs": [group.get("initial_lr", group["lr"]) for group in groups],
        "lr_lambdas": [None] * len(groups),
    }
    why = (
        "accelerate up to 0.14.0, and 0.16.0, did not recognise torch 2's schedulers and saved none"
    )
    what = f"made from optimizer.bin's learning rates, {step} steps (--scheduler-step)"
    return Rewritten(name, None, state), Change(name, what, why)


def _weight_changes(
    models: list[Model], formats: tuple[str, ...], options: Options
) -> list[Change]:
    changes = []
    for model in models:
        for form in formats:
            name = model.file(form)
            if name in model.kept(formats):
                continue
            if name not in model.files:
                what = f"the weights of {', '.join(model.origin)} in the other format"
                changes.append(Change(name, what, _READERS[form]))
            elif name in model.stale:
                what = f"the weights of {', '.join(model.origin)} instead of its own"
                why = "it was left over from an earlier save, and some releases would take it"
                changes.append(Change(name, what, why))
            for tied in model.added if form == "bin" else ():
                why = "safetensors leaves out tied weights; readers up to 0.32.1 need every name"
                changes.append(Change(name, f"{tied} is there, as {options.tied[tied]}", why))
        for name in model.files:
            if name not in {model.file(form) for form in formats}:
                why = "0.25.0 and newer would prefer it" if "safe" in name else "not asked for"
                changes.append(Change(name, "left out", why))
    return changes


_READERS = {
    "bin": "accelerate before 0.25.0 looks for no other name",
    "safetensors": "accelerate 0.25.0 and newer looks for it first",
}
