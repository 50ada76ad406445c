"""`random_states_N.pkl` made complete: no numpy in it, but `step` and all keys that are read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format.documents import read_document
from ckptmatrix.checkpoint.format.names import FileKind
from ckptmatrix.checkpoint.format.opening import UnreadableError, read_small
from ckptmatrix.checkpoint.format.random_states import GENERATORS, RandomKey
from ckptmatrix.checkpoint.format.reading_files import DOCUMENT_LIMIT
from ckptmatrix.checkpoint.format.rewriting_archives import Archive, DamagedError
from ckptmatrix.checkpoint.repair.state_files import FileChange, without_numpy_state
from ckptmatrix.knowledge.releases import ACCELERATE, CudaKeyRead, RngErrors, StepRead

_KOHYA = ("train_state.json", {"current_epoch", "current_step"})
"""What kohya-ss/sd-scripts write beside a state, which they save where gradients were just applied,
or after an epoch. Its `current_step` counts optimizer steps, and so is no `accelerator.step`."""

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
    known: bool = True
    """Whether gradients are applied where they would have been; else that can't be known."""

    def __str__(self) -> str:
        return f"{self.value} ({self.origin})"


NOWHERE = StepCount(
    0, "nowhere recorded; right if it was saved right after an optimizer step", known=False
)


def step_beside(source: Path, asked: int | None) -> StepCount | None:
    """`step` from outside the random states: as the user asks, or as the script is known to be.

    No script's own count of steps is taken for it: they count optimizer steps.

    Args:
        source: the checkpoint.
        asked: what the user asks for, if anything.
    """
    if asked is not None:
        return StepCount(asked, "--step", asked=True)
    name, keys = _KOHYA
    try:
        found, _ = read_document(read_small(source / name, DOCUMENT_LIMIT))
    except UnreadableError:
        return None
    if isinstance(found, dict) and keys <= found.keys():
        return StepCount(0, f"{name}: kohya's scripts save right after an optimizer step")
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
    if own is not None and type(own) is not int:
        raise DamagedError(f"{name} is damaged: its step is no number.")
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
