"""What was found in a checkpoint directory, before any conclusion is drawn from it."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePath

from ckptmatrix.checkpoint.format.file_fact import FileFact
from ckptmatrix.checkpoint.format.names import WeightFormat
from ckptmatrix.checkpoint.format.safetensors import TensorSpec

DECOUPLED = "decoupled_weight_decay"
"""Key of a parameter group."""


@dataclass(frozen=True)
class ModelFact:
    """The weights of one model."""

    index: int
    """Which of the prepared models, from 0."""
    file: str
    """Its file."""
    format: WeightFormat
    """How they are stored."""
    tensors: tuple[TensorSpec, ...]
    """Every tensor: parameters and persistent buffers."""
    extras: tuple[str, ...] = ()
    """Keys of its state dict that are no tensors, such as a module's `_extra_state`."""

    @property
    def numel(self) -> int:
        """Number of elements of all tensors; one that is shared counts once."""
        own = {spec.storage or spec.name: spec for spec in self.tensors}
        return sum(spec.numel for spec in own.values())

    @property
    def dtypes(self) -> dict[str, int]:
        """Element type -> number of tensors."""
        counts: dict[str, int] = {}
        for spec in self.tensors:
            counts[spec.dtype] = counts.get(spec.dtype, 0) + 1
        return counts

    @property
    def shared(self) -> tuple[tuple[str, ...], ...]:
        """Groups of names that share one storage; always empty for safetensors."""
        groups: dict[str, list[str]] = {}
        for spec in self.tensors:
            if spec.storage:
                groups.setdefault(spec.storage, []).append(spec.name)
        return tuple(tuple(names) for names in groups.values() if len(names) > 1)


@dataclass(frozen=True)
class OptimizerFact:
    """One optimizer."""

    index: int
    """Which of the prepared optimizers, from 0."""
    file: str
    """Its file."""
    candidates: tuple[str, ...]
    """Classes whose parameter groups look like this; empty if none is known."""
    parameters: int
    """How many parameters it steps."""
    groups: int
    """How many parameter groups it has."""
    group_keys: tuple[str, ...]
    """Keys of the first group."""
    state_keys: tuple[str, ...]
    """Keys of the state of the first parameter, such as `exp_avg`."""
    learning_rates: tuple[float, ...]
    """Learning rate of each group, where it is a plain number."""
    steps: int | None
    """How many steps it has taken, where its state counts them in plain numbers."""
    dtypes: dict[str, int]
    """Element type of its state -> number of tensors."""
    by_name: bool = False
    """Whether its state goes by names of parameters, as FSDP gathers it, and not by numbers."""
    one_step: bool = False
    """Whether several parameters have one tensor `step`, as those of a flat one of FSDP1."""

    @property
    def adam_decouples(self) -> bool | None:
        """Whether the groups of Adam or AdamW say if weight decay is decoupled, as from torch 2.7
        on; None for every other optimizer (some have such a key in older torch)."""
        if not {"torch.optim.Adam", "torch.optim.AdamW"} & set(self.candidates):
            return None
        return DECOUPLED in self.group_keys


@dataclass(frozen=True)
class SchedulerFact:
    """One learning-rate scheduler."""

    index: int
    """Which of the prepared schedulers, from 0."""
    file: str
    """Its file."""
    candidates: tuple[str, ...]
    """Classes whose state looks like this; empty if none is known."""
    last_epoch: int | None
    """Its count of steps; with several processes accelerate steps it once for each."""
    keys: tuple[str, ...]
    """Keys of its state."""


@dataclass(frozen=True)
class RandomFact:
    """The random states of one process, and `accelerator.step`."""

    rank: int
    """Global rank of the process."""
    file: str
    """Its file."""
    keys: tuple[str, ...]
    """What is in it, in order."""
    step: int | None
    """`accelerator.step`, if it is there."""
    numpy: str
    """How numpy's state is stored: `numpy.core`, `numpy._core`, `plain` (no array), or empty."""
    cuda: int | None
    """Number of CUDA generator states, one for each visible GPU; None if the key is not there."""
    cuda_bytes: int | None
    """Size of one CUDA state: 16 as from torch 2.1, 816 before; None if there is none."""


@dataclass(frozen=True)
class ZeroFact:
    """What one process's part of DeepSpeed's optimizer says of the training."""

    file: str
    """Its file."""
    stage: int
    """Of ZeRO: 1, 2 or 3."""
    version: str
    """DeepSpeed's own; empty if it does not say."""
    scheduled: bool = False
    """Whether its parameter groups keep what a scheduler leaves there (`initial_lr`)."""


@dataclass(frozen=True)
class EngineFact:
    """What a file of DeepSpeed's model states says of the schedule."""

    file: str
    """Its file."""
    schedule: tuple[str, ...] | None
    """Keys of the state of the schedule that DeepSpeed kept; None if it kept none."""


@dataclass(frozen=True)
class CounterFact:
    """A count of steps or epochs, and where it lives."""

    name: str
    """Its key."""
    value: int | float
    """Its value."""
    file: str
    """The file that holds it."""
    meaning: str
    """What it counts and who reads it, one clause."""


@dataclass(frozen=True, eq=False)
class Marks:
    """What tells which training stack wrote a directory; the same object for the same facts."""

    directory: str
    """The directory's own name."""
    files: tuple[str, ...]
    """Names of its files."""
    folders: tuple[str, ...]
    """Its folders."""
    documents: dict[str, tuple[str, ...]]
    """JSON file -> its keys."""
    tensors: tuple[str, ...]
    """Names of the tensors of all models."""
    by_name: bool
    """Whether an optimizer's state goes by names of parameters."""


@dataclass(frozen=True)
class Facts:
    """Everything that was read of one directory."""

    directory: str
    """Path, as it was given."""
    modified: float
    """When its newest file was written, in seconds since 1970."""
    files: tuple[FileFact, ...]
    """Every file, by name."""
    folders: tuple[str, ...] = ()
    """Folders below it, with `/`."""
    models: tuple[ModelFact, ...] = ()
    """The models that accelerate itself saved, at the top level."""
    stale: tuple[int, ...] = ()
    """Models that are there in two formats with different numbers: one of the files is stale."""
    nested: tuple[ModelFact, ...] = ()
    """Weights in folders or under other names; written by the script or its hooks."""
    optimizers: tuple[OptimizerFact, ...] = ()
    """By index."""
    schedulers: tuple[SchedulerFact, ...] = ()
    """By index."""
    random: tuple[RandomFact, ...] = ()
    """By rank."""
    zero: tuple[ZeroFact, ...] = ()
    """By file."""
    engines: tuple[EngineFact, ...] = ()
    """By file."""
    custom: tuple[int, ...] = ()
    """Indices of the registered custom objects."""
    scaler: bool = False
    """Whether a gradient scaler was saved."""
    samplers: tuple[str, ...] = ()
    """`sampler[_i].bin` and `dl_state_dict[_i].bin`."""
    documents: dict[str, dict[str, str | int | float | bool | None]] = field(default_factory=dict)
    """JSON file -> its plain top-level members."""
    problems: tuple[str, ...] = ()
    """What is wrong with the directory as a whole."""
    above: str = ""
    """The folder that it lies in, if that and not this one is what `load_state` takes."""

    @cached_property
    def marks(self) -> Marks:
        """What tells which training stack wrote it."""
        return Marks(
            PurePath(self.directory).name,
            tuple(file.name for file in self.files),
            self.folders,
            {file.name: file.keys for file in self.files if file.name in self.documents},
            tuple(spec.name for model in self.models for spec in model.tensors),
            any(optimizer.by_name for optimizer in self.optimizers),
        )

    def file(self, name: str) -> FileFact | None:
        """The file of that name, None if there is none."""
        return next((fact for fact in self.files if fact.name == name), None)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(fact.bytes for fact in self.files)
