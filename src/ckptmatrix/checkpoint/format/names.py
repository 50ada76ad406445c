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


def sharded_optimizer(name: str) -> int | None:
    """Which optimizer's shards a file describes, from 0; None if it describes none of one."""
    folder, _, base = name.rpartition("/")
    match = _OPTIMIZER_FOLDER.fullmatch(folder) if base == SHARD_INDEX else None
    return int(match[1]) if match else None


_OPTIMIZER_FOLDER = re.compile(rf"{FileKind.OPTIMIZER.stem}_(\d{{1,6}})", re.ASCII)


def is_of_fsdp(name: str) -> bool:
    """Whether accelerate has FSDP write files of this name, in folders of their own or not."""
    last = name.rpartition("/")[2]
    return last.startswith(FSDP_WEIGHTS) or last == SHARD_INDEX or bool(SHARDS.fullmatch(last))


def zero_rank(name: str) -> int | None:
    """Which process's part of a DeepSpeed optimizer a file holds; None for any other file."""
    match = _ZERO.fullmatch(name)
    return int(match[1]) if match else None


_ZERO = re.compile(
    r"(?:.*/)?(?:bf16_)?zero_pp_rank_(\d{1,6})_mp_rank_\d{1,6}_optim_states\.pt", re.ASCII
)


def is_model_states(name: str) -> bool:
    """Whether DeepSpeed keeps the model's states, and what else is its own, in a file."""
    return _MODEL_STATES.fullmatch(name) is not None


_MODEL_STATES = re.compile(r"(?:.*/)?\w*mp_rank_\d{1,6}_model_states\.pt", re.ASCII)


_FSDP = re.compile(
    # folders of shards, what is gathered, and what each process keeps for itself
    r"(?:pytorch_model(?:_fsdp)?|optimizer)_\d{1,6}/(?:\.metadata|__\d{1,6}_\d{1,6}\.distcp)"
    r"|pytorch_model(?:_fsdp(?:_\d{1,6})?(?:_rank\d{1,6})?|(?:_\d{1,6})?_rank\d{1,6})\.bin",
    re.ASCII,
)
_DEEPSPEED = re.compile(
    # mp_rank_00_model_states.pt, bf16_zero_pp_rank_0_mp_rank_00_optim_states.pt; the universal form
    r"pytorch_model(?:_\d{1,6})?/(?:zero/(?:[\w.-]{1,500}/)?)?[\w-]{1,100}\.pt",
    re.ASCII,
)
TAGS = ("latest", "latest_universal")
"""The text files in which DeepSpeed names its newest folders."""


def is_of_deepspeed(name: str) -> bool:
    """Whether accelerate has DeepSpeed write a part of the state at this path."""
    return _DEEPSPEED.fullmatch(name) is not None


def is_of_sharded_training(name: str) -> bool:
    """Whether accelerate has FSDP or DeepSpeed write weights or optimizer there: a file that is
    not changed, and without which the others are of no use.

    Args:
        name: path below the checkpoint, with `/`.
    """
    return _FSDP.fullmatch(name) is not None or is_of_deepspeed(name)


TRAINER_STATE = "trainer_state.json"
"""What transformers' Trainer leaves beside its checkpoints."""

PICKLED = re.compile(r".*\.(?:bin|pt|pth|pkl|pickle|ckpt)", re.DOTALL)
"""What may hold a pickle."""
WEIGHTS = re.compile(r".*\.safetensors")
DOCUMENT = re.compile(r".*\.json")
TEXT = re.compile(r".*\.(?:txt|md|ya?ml|toml|csv|jsonl|log)")
"""Notes and lists that scripts keep beside their states."""
SHARD_INDEX = ".metadata"
"""What torch.distributed.checkpoint describes its shards in."""
SHARDS = re.compile(r".*\.distcp")
"""Its shards: archives of torch.save, one behind the other."""

_OTHER_MARKS = frozenset({TRAINER_STATE, "train_state.json", "zero_to_fp32.py", SHARD_INDEX})


def is_mark(name: str) -> bool:
    """Whether a file of this name makes its directory a checkpoint."""
    found = kind_of(name)
    too_little = (FileKind.SAMPLER, FileKind.DATALOADER, FileKind.SCALER)
    return name in _OTHER_MARKS or (found is not None and found[0] not in too_little)
