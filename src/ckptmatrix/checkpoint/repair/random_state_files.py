"""`random_states_N.pkl` made complete: no numpy in it, but `step` and all keys that are read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format.names import FileKind
from ckptmatrix.checkpoint.format.random_states import GENERATORS, RandomKey
from ckptmatrix.checkpoint.format.rewriting_archives import Archive, DamagedError
from ckptmatrix.checkpoint.repair.state_files import FileChange, without_numpy_state
from ckptmatrix.knowledge.releases import ACCELERATE, CudaKeyRead, RngErrors, StepRead

_STEP_FILES = (
    ("train_state.json", "current_step"),  # kohya-ss/sd-scripts
    ("training_state.json", "global_step"),  # SimpleTuner
)
_DEMANDING = ACCELERATE.span_of(step=StepRead.DEMANDED)
_RAISING = f"{' and '.join(_DEMANDING.series)} raise KeyError: 'step'"


@dataclass(frozen=True)
class StepCount:
    """`accelerator.step`, and where it is from."""

    value: int
    """The count."""
    origin: str
    """For people."""
    asked: bool = False
    """Whether the user gave it, so that it goes before what a file says."""

    def __str__(self) -> str:
        return f"{self.value} ({self.origin})"


NOWHERE = StepCount(0, "nowhere recorded, so what a fresh Accelerator starts from")


def step_beside(source: Path, asked: int | None) -> StepCount | None:
    """`step` from outside the random states: what the user asks for, or a JSON file of the script.

    Args:
        source: the checkpoint.
        asked: what the user asks for, if anything.
    """
    if asked is not None:
        return StepCount(asked, "--step", asked=True)
    for name, key in _STEP_FILES:
        try:
            value = json.loads((source / name).read_text())[key]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(value, int):
            return StepCount(value, f"{name}, {key}")
    return None


def completed(
    archive: Archive, name: str, beside: StepCount | None
) -> tuple[dict[str, Any], list[FileChange], StepCount]:
    """The states of one process, with what was changed in them and the step that they have.

    Args:
        archive: the file.
        name: its name.
        beside: the step that is recorded beside it.

    Raises:
        DamagedError: a generator is missing, or numpy's is of another kind.
    """
    root = archive.root
    if not isinstance(root, dict) or any(key not in root for key in GENERATORS):
        raise DamagedError(f"{name} is damaged: it lacks one of {', '.join(GENERATORS)}.")
    root, changes = without_numpy_state(root, name)
    own = root.get(RandomKey.STEP)
    step = StepCount(own, name) if own is not None else NOWHERE
    if beside is not None and (beside.asked or own is None):
        step = beside
    if step.value != own:
        why = f"{_RAISING} without it; saved from {_DEMANDING.first} on"
        changes.append(FileChange(name, f"step is {step}", why))
    # `step` first, as accelerate writes it.
    rest = {key: value for key, value in root.items() if key != RandomKey.STEP}
    states = {RandomKey.STEP.value: step.value, **rest}
    cuda = RandomKey.CUDA.value
    if cuda not in root:
        states[cuda] = []
        asking = ACCELERATE.span_of(cuda_key_read=CudaKeyRead.NEEDED)
        failing = ACCELERATE.span_of(rng_errors=RngErrors.RAISED)
        why = f"{asking.up_to} it is asked for on CPU too; releases {failing.words} fail without it"
        changes.append(FileChange(name, f"{cuda} is an empty list", why))
    return states, changes, step


def step_alone(step: StepCount | None) -> tuple[str, dict[str, Any], FileChange, StepCount]:
    """A file of random states that holds nothing but `step`: name, content, change and the step.

    Raises:
        DamagedError: nobody says which step.
    """
    name = FileKind.RANDOM_STATES.file()
    if step is None or not step.asked:
        raise DamagedError(
            f"{name} is missing, so neither the random states nor step are there.",
            "Give --step N to write one that holds step alone; the random states stay lost.",
        )
    content = {RandomKey.STEP.value: step.value, RandomKey.CUDA.value: []}
    why = f"{_RAISING} without the file; random states can't be made up"
    return name, content, FileChange(name, f"step alone: {step}", why), step
