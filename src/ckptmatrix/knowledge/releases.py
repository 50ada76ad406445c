"""What releases of accelerate, torch and numpy can do: `releases.toml`, made askable.

This is the only place of the package where a release's number decides anything.
"""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec
from packaging.version import Version

OLDEST = Version("0.6.0")
"""The first accelerate with `save_state`."""

TORCH_REFUSES_BY_DEFAULT = Version("2.6")
"""From here on `torch.load` means `weights_only=True` where the caller says nothing (#137602)."""
TORCH_WEIGHTS_ONLY = Version("2.4")
"""From here on accelerate's own `load` asks for it, where the release does so."""
NUMPY_DTYPE_CLASSES = Version("1.25")
"""From here on numpy has `numpy.dtypes.UInt32DType`, which accelerate allows only then (#3433)."""
NUMPY_KNOWS_NEW_SPELLING = Version("1.26")
"""From here on `numpy._core.multiarray` can be imported, by a stub in 1.26."""
TORCH_NEW_SCHEDULERS = Version("2.0")
"""From here on schedulers derive from `LRScheduler`, which some releases do not look for."""

_BUILT_IN = re.compile(
    r"torch\.(?:cuda\.)?(?:sparse\.)?\w+(?:Storage|Tensor)|torch\.Tensor|torch\.nn\.parameter\.Parameter"
    r"|torch\.storage\.\w+Storage|torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_from_type_v2"
    r"|torch\.serialization\._get_layout|torch\.(?:bool|u?int\d+|b?float\d+\w*|complex\d+|q\w+)"
)
"""torch's own names that its weights-only unpickler always takes, in every release that has one."""


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one accelerate release does with a checkpoint."""

    step: Literal["none", "unsaved", "demanded", "accepted"]
    """`accelerator.step`: no such counter; not in checkpoints; read unguarded; read if there."""
    rng_errors: Literal["raised", "swallowed"]
    """What becomes of an exception while random states are loaded."""
    weights: Literal["bin", "safetensors by name", "safetensors by storage"]
    """What it looks for first; `by name` needs every name, `by storage` knows shared tensors."""
    sees_schedulers: bool
    """Whether it takes torch 2's schedulers for schedulers when they are prepared."""
    hooks: bool
    """Whether scripts can register hooks before saving and loading."""
    weights_only: bool
    """Whether it asks torch 2.4 and newer for weights-only loading itself."""
    custom_count: Literal["warning", "error"]
    """What another number of registered objects leads to."""
    cuda_key: Literal["needed", "optional"]
    """Whether `torch_cuda_manual_seed` is read without a GPU too."""
    stateful: bool
    """Whether it knows `dl_state_dict.bin`."""
    own_shuffling: bool
    """Whether shuffled loaders are always given a sampler whose position is never saved."""
    numpy_below: str
    """Its own requirement on numpy; empty if there is none that matters."""
    torch_from: str
    """The oldest torch that it allows."""


class _Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    since: str
    source: str
    sets: dict[str, str | bool]


class _Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paths: list[str]
    torch: str = ""
    accelerate: str = ""
    numpy: str = ""
    numpy_below: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    accelerate: list[_Change]
    globals: list[_Accepted] = msgspec.field(name="global")


@cache
def _table() -> _Table:
    text = files(__package__).joinpath("releases.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _Table)


@cache
def release(accelerate: str) -> Release:
    """What this release does; one before `OLDEST` is taken for `OLDEST`."""
    asked = max(Version(accelerate), OLDEST)
    settings: dict[str, str | bool] = {}
    for change in _table().accelerate:
        if Version(change.since) <= asked:
            settings.update(change.sets)
    return msgspec.convert(settings, Release)


def changes() -> tuple[Version, ...]:
    """The releases at which something changed, oldest first."""
    return tuple(Version(change.since) for change in _table().accelerate)


def first_with(**wanted: str | bool) -> Version:
    """The first release at which all of these settings hold; they must hold at some change."""
    return next(
        since
        for since in changes()
        if all(getattr(release(str(since)), name) == value for name, value in wanted.items())
    )


def refused_globals(
    names: tuple[str, ...], *, accelerate: str, torch: str, numpy: str
) -> tuple[str, ...]:
    """Which names a weights-only load refuses when this accelerate asks this torch for one.

    Args:
        names: `module.name` of each global in the pickle.
        accelerate: the release; from 1.1.0 on it adds some of numpy's names.
        torch: its version, such as `2.13.0+cpu`.
        numpy: its version.

    Returns:
        The refused ones, in order. `numpy.dtype` stands for the class of the dtype where numpy
        is too old to name it.
    """
    at_torch, at_numpy, at_accelerate = Version(torch), Version(numpy), Version(accelerate)
    accepted: set[str] = set()
    for entry in _table().globals:
        fits = (
            (not entry.torch or Version(entry.torch) <= at_torch)
            and (not entry.accelerate or Version(entry.accelerate) <= at_accelerate)
            and (not entry.numpy or Version(entry.numpy) <= at_numpy)
            and (not entry.numpy_below or at_numpy < Version(entry.numpy_below))
        )
        if fits:
            accepted.update(entry.paths)
    if at_numpy < NUMPY_DTYPE_CLASSES:
        accepted.discard("numpy.dtype")
    return tuple(name for name in names if name not in accepted and not _BUILT_IN.fullmatch(name))
