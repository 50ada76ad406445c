"""Which training stack wrote a directory; `training_stacks.toml` has one entry for each."""

import re
import tomllib
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from ckptmatrix.checkpoint.inspect.facts import Facts, Marks


class StepCounter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A count of steps or epochs that a stack keeps."""

    file: str
    """JSON file."""
    key: str
    """Its key."""
    meaning: str
    """What it counts and who reads it."""


class Sharded(StrEnum):
    """What takes weights and optimizer apart over processes."""

    FSDP = "FSDP"
    DEEPSPEED = "DeepSpeed"


class TrainingStack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What directories of one stack look like; `training_stacks.toml` says what the fields mean."""

    id: str
    """Short name."""
    title: str
    """What it is called."""
    directory: str = ""
    """Searched in the directory's name."""
    files: list[str] = []
    """Each is searched in the names of the files, and must be found."""
    no_files: list[str] = []
    """None of these may be found."""
    folders: list[str] = []
    """Each must match a folder."""
    documents: dict[str, list[str]] = {}
    """JSON file -> keys it must have."""
    tensors: str = ""
    """Every tensor of the top-level weights must match."""
    accelerate: bool = True
    """Whether `Accelerator.load_state` is what loads it."""
    hooks: bool = False
    """Whether scripts load (part of) the models by hooks."""
    hook_files: bool = False
    """Whether those hooks read files of their own beside the weights."""
    sharded: Sharded | None = None
    """What takes weights and optimizer apart over processes, and loads them."""
    by_name: bool = False
    """Whether the state of the optimizers must go by names of parameters, as FSDP gathers it."""
    counters: list[StepCounter] = []
    """Where counts of steps live."""
    note: str = ""
    """What to know about resuming."""

    @property
    def demands(self) -> int:
        """How much it asks for."""
        asked = len(self.files) + len(self.no_files) + len(self.folders)
        keys = sum(map(len, self.documents.values()))
        return asked + keys + 2 * bool(self.directory) + 3 * bool(self.tensors) + self.by_name


UNKNOWN = TrainingStack("unknown", "unknown (no checkpoint of a training stack that is known here)")


@cache
def stacks() -> tuple[TrainingStack, ...]:
    """Every known stack."""
    text = files(__package__).joinpath("training_stacks.toml").read_text("utf-8")
    return tuple(msgspec.convert(tomllib.loads(text)["stack"], list[TrainingStack]))


def recognise(facts: Facts) -> TrainingStack:
    """The stack that fits and asks for most; `UNKNOWN` if none fits."""
    return _recognise(facts.marks)


@lru_cache(maxsize=64)
def _recognise(marks: Marks) -> TrainingStack:
    names, folders, known = marks.files, marks.folders, marks.documents

    def fits(stack: TrainingStack) -> bool:
        return (
            bool(re.search(stack.directory, marks.directory))
            and all(any(re.search(pattern, name) for name in names) for pattern in stack.files)
            and not any(re.search(p, name) for p in stack.no_files for name in names)
            and all(any(re.search(p, name) for name in folders) for p in stack.folders)
            and all(set(keys) <= set(known.get(name, ())) for name, keys in stack.documents.items())
            and (not stack.tensors or _all_match(stack.tensors, marks.tensors))
            and (not stack.by_name or marks.by_name)
        )

    return max(
        (stack for stack in stacks() if fits(stack)),
        # The marks of what has taken the weights apart say more than any file beside them.
        key=lambda stack: (stack.sharded is not None, stack.demands),
        default=UNKNOWN,
    )


def _all_match(pattern: str, names: tuple[str, ...]) -> bool:
    return bool(names) and all(re.search(pattern, name) for name in names)
