"""What each version of accelerate, torch and numpy does with a checkpoint: `releases.toml`, typed.

Ask `ACCELERATE`, `TORCH` and `NUMPY`: what one version does (`at`), which versions do something
(`span_of`, `spans_of`, `first_with`). In `checkpoint` and `knowledge` this is the only place where
a version's number decides anything; a test looks for others.
"""

import re
import tomllib
from enum import StrEnum
from importlib.resources import files

import msgspec
from packaging.version import Version

from ckptmatrix.knowledge.timeline import TableEntry, Timeline


class StepRead(StrEnum):
    """What a release does with `accelerator.step`."""

    NONE = "none"
    """It has no such counter."""
    UNSAVED = "unsaved"
    """The counter is in no checkpoint."""
    DEMANDED = "demanded"
    """Saved; read without asking whether it is there."""
    ACCEPTED = "accepted"
    """Saved; read if it is there."""


class RngErrors(StrEnum):
    """What becomes of an exception while random states are loaded."""

    RAISED = "raised"
    SWALLOWED = "swallowed"


class WeightsRead(StrEnum):
    """What a release looks for first."""

    BIN = "bin"
    """`pytorch_model.bin` alone."""
    BY_NAME = "safetensors by name"
    """`model.safetensors`, which must hold every name."""
    BY_STORAGE = "safetensors by storage"
    """`model.safetensors`, by `safetensors.torch.load_model`, which knows shared tensors."""


class SchedulerCounts(StrEnum):
    """What a prepared scheduler's count of steps counts under gradient accumulation."""

    MICRO_BATCHES = "micro-batches"
    OPTIMIZER_STEPS = "optimizer steps"


class CustomCount(StrEnum):
    """What another number of registered objects than the checkpoint has leads to."""

    WARNING = "warning"
    ERROR = "error"


class CudaKeySaved(StrEnum):
    """When `torch_cuda_manual_seed` is written."""

    ALWAYS = "always"
    """On the CPU too, as an empty list."""
    WITH_CUDA = "with CUDA"


class CudaKeyRead(StrEnum):
    """Whether `torch_cuda_manual_seed` is read without a GPU too."""

    NEEDED = "needed"
    OPTIONAL = "optional"


class SeedableSampler(StrEnum):
    """When shuffled loaders get the sampler whose position is in no checkpoint."""

    NONE = "none"
    SEVERAL_PROCESSES = "several processes"
    ALWAYS = "always"
    BY_REQUEST = "by request"


class FullySharded(StrEnum):
    """What becomes of weights and optimizer of fully sharded training."""

    NONE = "none"
    """The release has no such training, or does not save it so."""
    NOT_MEASURED = "not measured"
    RESTORED = "restored"
    LOST = "lost"
    """The weights come back; the optimizer's shards are read into one without state, so nothing
    is, without a word."""
    WAITS = "waits"
    """The load never returns: processes wait for one that does not take part."""


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one accelerate release does."""

    step: StepRead
    """`accelerator.step`."""
    rng_errors: RngErrors
    """What becomes of an exception while random states are loaded."""
    weights: WeightsRead
    """What it looks for first."""
    names_fsdp_weights: bool
    """Whether the weights of FSDP have names of their own, `pytorch_model_fsdp...`."""
    sees_schedulers: bool
    """Whether it takes torch 2's schedulers for schedulers when they are prepared."""
    scheduler_counts: SchedulerCounts
    """What a prepared scheduler counts."""
    hooks: bool
    """Whether scripts can register hooks before saving and loading."""
    weights_only_from: str
    """The oldest torch that it asks for weights-only loading; empty if it asks none."""
    custom_count: CustomCount
    """What another number of registered objects leads to."""
    cuda_key_saved: CudaKeySaved
    """When `torch_cuda_manual_seed` is written."""
    cuda_key_read: CudaKeyRead
    """Whether it is read without a GPU too."""
    stateful: bool
    """Whether it knows `dl_state_dict.bin`."""
    seedable_sampler: SeedableSampler
    """When shuffled loaders get a sampler whose position is never saved."""
    numpy_below: str
    """Its own requirement on numpy; empty if there is none that matters."""
    torch_from: str
    """The oldest torch that it allows."""
    fsdp1_gathered: FullySharded
    """FSDP1 with `FULL_STATE_DICT`."""
    fsdp1_shards: FullySharded
    """FSDP1 with `SHARDED_STATE_DICT`."""
    fsdp2_gathered: FullySharded
    """FSDP2 with `FULL_STATE_DICT`."""
    fsdp2_shards: FullySharded
    """FSDP2 with `SHARDED_STATE_DICT`."""
    deepspeed: FullySharded
    """ZeRO-1 and 2 of DeepSpeed."""
    zero_3: FullySharded
    """ZeRO-3 of DeepSpeed."""
    engine_schedules: bool
    """Whether DeepSpeed is handed every scheduler of torch's, and keeps its state in its files."""

    @property
    def restores_step(self) -> bool:
        """Whether it saves `accelerator.step` and reads it again."""
        return self.step in (StepRead.DEMANDED, StepRead.ACCEPTED)

    @property
    def knows_shared_tensors(self) -> bool:
        """Whether it loads safetensors that leave out all but one name of a shared tensor."""
        return self.weights is WeightsRead.BY_STORAGE

    @property
    def asks_weights_only(self) -> bool:
        """Whether it asks some torch for weights-only loading itself."""
        return bool(self.weights_only_from)


class Torch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one torch does."""

    refuses_by_default: bool
    """Whether `torch.load` means `weights_only=True` where the caller says nothing."""
    new_schedulers: bool
    """Whether schedulers derive from `LRScheduler`."""
    newest_record: str
    """The youngest of the descriptive records that its archives hold; empty for the oldest kind."""
    cuda_state_bytes: int
    """Size of the state of one CUDA generator."""
    newest_fsdp: int
    """The newest FSDP that accelerate makes on it; 0 where none has been measured."""
    adam_decouples: bool
    """Whether the groups of Adam and AdamW have `decoupled_weight_decay`."""
    knows_strides: bool
    """Whether shards are described with the strides of tensors; else such ones cannot be read."""


class Numpy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one numpy does."""

    core: str
    """How its pickles spell its core, such as `numpy._core`."""
    knows_new_core: bool
    """Whether `numpy._core.multiarray` can be imported."""
    dtype_classes: bool
    """Whether there is `numpy.dtypes.UInt32DType`, which accelerate allows only then."""


class _Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names that a weights-only load accepts, and where."""

    paths: list[str]
    torch: str = ""
    accelerate: str = ""
    numpy: str = ""
    numpy_below: str = ""


class _ReleasesTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`releases.toml`."""

    accelerate: list[TableEntry]
    torch: list[TableEntry]
    numpy: list[TableEntry]
    device_keys: dict[str, str]
    globals: list[_Accepted] = msgspec.field(name="global")


_TABLE = msgspec.convert(
    tomllib.loads(files(__package__).joinpath("releases.toml").read_text("utf-8")), _ReleasesTable
)
ACCELERATE = Timeline(Release, _TABLE.accelerate)
"""What accelerate does; the first release is the oldest with `save_state`."""
TORCH = Timeline(Torch, _TABLE.torch)
"""What torch does."""
NUMPY = Timeline(Numpy, _TABLE.numpy)
"""What numpy does."""

_BUILT_IN = re.compile(
    r"torch\.(?:cuda\.)?(?:sparse\.)?\w+(?:Storage|Tensor)|torch\.Tensor|torch\.nn\.parameter\.Parameter"
    r"|torch\.storage\.\w+Storage|torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.serialization\._get_layout|torch\.(?:bool|u?int\d+|b?float\d+\w*|complex\d+|q\w+)"
)
"""torch's own names that its weights-only unpickler always takes, in every release that has one."""


def device_key_since(key: str) -> Version | None:
    """The first accelerate that writes this key of `random_states_N.pkl`; None for one that is no
    other device's."""
    since = _TABLE.device_keys.get(key)
    return Version(since) if since else None


def torch_borders(*, shards: bool = False) -> tuple[str, ...]:
    """Versions of torch from which on something loads otherwise; the first stands for all before.

    Those at which torch itself changes and those that accelerate's releases ask for.

    Args:
        shards: also those that concern fully sharded training alone.
    """
    asked = {ACCELERATE.at(str(start)).weights_only_from for start in ACCELERATE.starts}
    accepted = {entry.torch for entry in _TABLE.globals}
    sharded = ("newest_fsdp", "adam_decouples", "knows_strides") if shards else ()
    own = TORCH.starts_of("refuses_by_default", "new_schedulers", *sharded)
    return tuple(sorted({*map(str, own), *asked, *accepted} - {""}, key=Version))


def numpy_borders() -> tuple[str, ...]:
    """The same for numpy."""
    return tuple(map(str, NUMPY.starts))


def refused_globals(
    names: tuple[str, ...], *, accelerate: str, torch: str, numpy: str
) -> tuple[str, ...]:
    """Which names a weights-only load refuses when this accelerate asks this torch for one.

    Args:
        names: `module.name` of each global in the pickle.
        accelerate: the release; some add names of numpy's.
        torch: its version, such as `2.13.0+cpu`.
        numpy: its version.

    Returns:
        The refused ones, in order. `numpy.dtype` stands for the class of the dtype where numpy
        is too old to name it.
    """
    at_torch, at_numpy, at_accelerate = Version(torch), Version(numpy), Version(accelerate)
    accepted: set[str] = set()
    for entry in _TABLE.globals:
        fits = (
            (not entry.torch or Version(entry.torch) <= at_torch)
            and (not entry.accelerate or Version(entry.accelerate) <= at_accelerate)
            and (not entry.numpy or Version(entry.numpy) <= at_numpy)
            and (not entry.numpy_below or at_numpy < Version(entry.numpy_below))
        )
        if fits:
            accepted.update(entry.paths)
    if not NUMPY.at(numpy).dtype_classes:
        accepted.discard("numpy.dtype")
    return tuple(name for name in names if name not in accepted and not _BUILT_IN.fullmatch(name))


def refused_by_torch_alone(names: tuple[str, ...]) -> tuple[str, ...]:
    """Which names a weights-only load of the newest torch refuses where nobody adds to its list.

    Args:
        names: `module.name` of each global in the pickle; `__builtin__` is protocol 2's `builtins`.
    """
    accepted = {path for entry in _TABLE.globals if entry.torch for path in entry.paths}

    def refused(name: str) -> bool:
        path = name.replace("__builtin__.", "builtins.", 1)
        return path not in accepted and not _BUILT_IN.fullmatch(path)

    return tuple(filter(refused, names))
