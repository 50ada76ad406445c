"""The file names that accelerate gives, in every release (constants of `utils/constants.py`).

`resume.py`, `doctor.py` and the worker repeat some of them, as they run without this package; a
test compares.
"""

import re
from dataclasses import dataclass
from enum import Enum, StrEnum


class WeightFormat(StrEnum):
    """How weights are stored."""

    SAFETENSORS = "safetensors"
    BIN = "bin"


class Numbering(Enum):
    """Which files of a kind have a number in their names."""

    ALL = 1
    ALL_BUT_THE_FIRST = 2
    NONE = 3
    """There is one at most."""


class FileKind(Enum):
    """One kind of file of a state directory: how it is called, and what it holds.

    Attributes:
        stem: what the name begins with.
        ending: what it ends with.
        component: what it restores; empty for random states, which restore several.
        numbering: which of them have a number: that of the prepared or registered object, for
            random states the global rank of the process.
    """

    MODEL_SAFETENSORS = ("model", ".safetensors", "model")
    MODEL_BIN = ("pytorch_model", ".bin", "model")
    OPTIMIZER = ("optimizer", ".bin", "optimizer")
    SCHEDULER = ("scheduler", ".bin", "scheduler")
    SAMPLER = ("sampler", ".bin", "dataloader")
    DATALOADER = ("dl_state_dict", ".bin", "dataloader")
    SCALER = ("scaler", ".pt", "scaler", Numbering.NONE)
    RANDOM_STATES = ("random_states", ".pkl", "", Numbering.ALL)
    CUSTOM = ("custom_checkpoint", ".pkl", "custom", Numbering.ALL)

    def __init__(
        self,
        stem: str,
        ending: str,
        component: str,
        numbering: Numbering = Numbering.ALL_BUT_THE_FIRST,
    ) -> None:
        self.stem, self.ending, self.component, self.numbering = stem, ending, component, numbering

    def file(self, index: int = 0) -> str:
        """Name of the file with this number, as accelerate writes it and looks for it."""
        further = index > 0 and self.numbering is Numbering.ALL_BUT_THE_FIRST
        number = f"_{index}" if further or self.numbering is Numbering.ALL else ""
        return f"{self.stem}{number}{self.ending}"

    def index(self, name: str) -> int | None:
        """The number in a file name, 0 where accelerate leaves it out; None for another name."""
        match = _NUMBERED.fullmatch(name.removesuffix(self.ending).removeprefix(self.stem))
        index = int(match[1] or 0) if match else 0
        return index if self.file(index) == name else None


_NUMBERED = re.compile(r"(?:_(\d{1,6}))?", re.ASCII)
"""The number in a name, if there is one; nothing is prepared a million times."""

PICKLED_STATES = (
    FileKind.OPTIMIZER,
    FileKind.SCHEDULER,
    FileKind.DATALOADER,
    FileKind.SCALER,
)
"""What the objects of torch and accelerate leave as pickles, weights and samplers aside."""
WEIGHTS_BY_FORMAT = {
    WeightFormat.SAFETENSORS: FileKind.MODEL_SAFETENSORS,
    WeightFormat.BIN: FileKind.MODEL_BIN,
}
"""Format -> the kind of file that `save_state` writes in it."""


def kind_of(name: str) -> tuple[FileKind, int] | None:
    """Kind and number of a file of a state directory; None if accelerate calls none like that."""
    for kind in FileKind:
        index = kind.index(name)
        if index is not None:
            return kind, index
    return None


@dataclass(frozen=True)
class WeightsFile:
    """A file that says where the weights of one model are."""

    format: WeightFormat
    """How they are stored."""
    index: int
    """Which of the prepared models, from 0."""
    sharded: bool
    """Whether it is the index of several files, as `save_model` cuts them."""


def weights_file(name: str) -> WeightsFile | None:
    """What a file of this name says of weights; None if it is no such file."""
    base = name.removesuffix(".index.json")
    for format_, kind in WEIGHTS_BY_FORMAT.items():
        index = kind.index(base)
        if index is not None:
            return WeightsFile(format_, index, base != name)
    return None


def is_shard(name: str) -> bool:
    """Whether a file of this name is one of the files into which weights are cut."""
    return _SHARD.fullmatch(name) is not None


_SHARD = re.compile(r"(?:pytorch_)?model(?:_\d+)?-\d{5}-of-\d{5}\.(?:safetensors|bin)", re.ASCII)
FSDP_WEIGHTS = "pytorch_model_fsdp"
"""What the names of FSDP's weights begin with, in releases that tell them from others."""
TRAINER_STATE = "trainer_state.json"
"""What transformers' Trainer leaves beside its checkpoints."""

PICKLED = re.compile(r".*\.(?:bin|pt|pth|pkl|ckpt)|\.metadata")
"""What may hold a pickle."""
WEIGHTS = re.compile(r".*\.safetensors")
DOCUMENT = re.compile(r".*\.json")

_OTHER_MARKS = frozenset({TRAINER_STATE, "train_state.json", "zero_to_fp32.py", ".metadata"})


def is_mark(name: str) -> bool:
    """Whether a file of this name makes its directory a checkpoint."""
    found = kind_of(name)
    too_little = (FileKind.SAMPLER, FileKind.DATALOADER, FileKind.SCALER)
    return name in _OTHER_MARKS or (found is not None and found[0] not in too_little)
