"""Which files hold a model's weights, and which should."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from ckptmatrix.checkpoint.format import rewriting_tensors
from ckptmatrix.checkpoint.format.documents import read_document
from ckptmatrix.checkpoint.format.names import (
    WEIGHTS_BY_FORMAT,
    FileKind,
    WeightFormat,
    is_shard,
    weights_file,
)
from ckptmatrix.checkpoint.format.opening import UnreadableError, read_small
from ckptmatrix.checkpoint.format.rewriting_archives import DamagedError, opened
from ckptmatrix.checkpoint.format.rewriting_tensors import NoPlainTensorError, Tensor, Weights
from ckptmatrix.errors import UsageError


class WantedWeights(StrEnum):
    """In which formats the weights are to be written."""

    AUTO = "auto"
    """Those that serve most releases."""
    BOTH = "both"
    SAFETENSORS = "safetensors"
    BIN = "bin"


@dataclass(frozen=True)
class StoredModel:
    """The weights of one prepared model, as they lie in the source."""

    index: int
    """Its place among the prepared models, from 0."""
    weights: Weights
    """Its tensors, those that `--tied` names included."""
    files: tuple[str, ...]
    """The files that hold them."""
    added: tuple[str, ...] = ()
    """Tied weights that the files left out and `--tied` names."""
    stale: tuple[str, ...] = ()
    """Files left over from an earlier save in the other format."""
    opaque: bool = False
    """True for a `.bin` that holds more than tensors; it can only be carried over."""

    @property
    def origin(self) -> tuple[str, ...]:
        """The files that hold the weights which are restored."""
        return tuple(name for name in self.files if name not in self.stale)

    def file(self, format_: WeightFormat) -> str:
        """Name of its file in a format, as accelerate looks for it."""
        return WEIGHTS_BY_FORMAT[format_].file(self.index)

    def kept(self, formats: tuple[WeightFormat, ...]) -> set[str]:
        """Its files that can stay as they are."""
        added = WeightFormat.BIN if self.added else None  # a name more than the file has
        return {self.file(form) for form in formats if form is not added} & set(self.origin)

    @property
    def shared(self) -> list[list[str]]:
        """Names whose tensors share memory; no safetensors file can tell."""
        return rewriting_tensors.shared(self.weights)


def tied_pairs(texts: Iterable[str]) -> dict[str, str]:
    """The weights that `--tied NAME=NAME` names: one that a file left out -> the one that it is.

    Raises:
        UsageError: a text is not of that form.
    """
    pairs = {}
    for text in texts:
        name, sign, owner = text.partition("=")
        if not (name and sign and owner):
            raise UsageError(f"--tied {text}: not of the form NAME=NAME.")
        pairs[name] = owner
    return pairs


def find(source: Path, tied: Mapping[str, str]) -> list[StoredModel]:
    """The models of a directory.

    Args:
        source: the checkpoint.
        tied: name of a tied weight that the file left out -> name of the weight that it is.

    Raises:
        DamagedError: a file is damaged, a shard is missing, or two files disagree.
        UsageError: `tied` names what is not there.
    """
    found: dict[int, _Files] = {}
    for path in sorted(source.iterdir()):
        named = weights_file(path.name)
        if named and path.is_file():
            files = found.setdefault(named.index, {})
            if named.format not in files or not named.sharded:
                files[named.format] = path
    return [_model(index, files, tied) for index, files in sorted(found.items())]


_Files = dict[WeightFormat, Path]
"""Format of one model's weights -> their file, or the index of their shards."""


def _model(index: int, files: _Files, tied: Mapping[str, str]) -> StoredModel:
    names = tuple(name for path in files.values() for name in _parts(path))
    try:
        read = {form: _read(path) for form, path in files.items()}
    except NoPlainTensorError:
        if set(files) != {WeightFormat.BIN} or files[WeightFormat.BIN].suffix == ".json":
            raise
        return StoredModel(index, {}, names, opaque=True)
    stale = _stale(files, read) if len(read) == 2 else None
    if stale:
        del read[stale]
    weights = dict(read.get(WeightFormat.BIN) or read[WeightFormat.SAFETENSORS])
    added = []
    for name, owner in tied.items():
        if owner in weights and name not in weights:
            weights[name] = weights[owner]
            added.append(name)
        elif owner not in weights and index == 0:
            raise UsageError(
                f"--tied {name}={owner}: the checkpoint has no {owner}.",
                f"It has {', '.join(sorted(weights)[:5])} and {max(0, len(weights) - 5)} more.",
            )
    left_over = tuple(_parts(files[stale])) if stale else ()
    return StoredModel(index, weights, names, tuple(added), left_over)


def _stale(files: _Files, read: Mapping[WeightFormat, Weights]) -> WeightFormat | None:
    """The format whose file is left over from an earlier save; None if both hold the same.

    A save in one format leaves the file of the other behind, and releases differ in which they
    take. Every save writes the weights first and the optimizer after them.

    Raises:
        DamagedError: they differ, and their dates don't tell which belongs to the rest.
    """
    pickled, safe = read[WeightFormat.BIN], read[WeightFormat.SAFETENSORS]
    common = pickled.keys() & safe.keys()
    different = [n for n in common if not rewriting_tensors.equal(pickled[n], safe[n])]
    if not different:
        return None
    optimizer = files[WeightFormat.BIN].parent / FileKind.OPTIMIZER.file()
    times = {form: path.stat().st_mtime_ns for form, path in files.items()}
    newer, older = sorted(times, key=times.__getitem__, reverse=True)
    if times[newer] == times[older] or (
        optimizer.exists() and times[newer] > optimizer.stat().st_mtime_ns
    ):
        both = f"{files[WeightFormat.BIN].name} and {files[WeightFormat.SAFETENSORS].name}"
        raise DamagedError(
            f"{both} hold different weights ({different[0]}), and their dates don't tell which "
            "was saved with the rest.",
            "Copy the directory without the one left over from another save; repair the copy.",
        )
    return older


def _parts(path: Path) -> list[str]:
    """Names of the files that make up the weights: the file, or the index and its shards."""
    return (
        [path.name, *sorted(set(_shards(path).values()))] if path.suffix == ".json" else [path.name]
    )


def _shards(path: Path) -> dict[str, str]:
    try:
        content, twice = read_document(read_small(path, _INDEX_LIMIT))
        shards = msgspec.convert(content, _Index).weight_map
    except (UnreadableError, msgspec.ValidationError) as error:
        raise DamagedError(f"{path.name} is damaged.") from error
    if twice:
        raise DamagedError(f"{path.name} {twice}.", "Copy it again, or make it anew.")
    for shard in set(shards.values()):
        if not is_shard(shard) or not (path.parent / shard).is_file():
            raise DamagedError(f"{path.name} names the shard {shard[:80]}, which is not there.")
    return shards


class _Index(msgspec.Struct):
    """What an index of shards says."""

    weight_map: dict[str, str]


_INDEX_LIMIT = 16 << 20
"""Largest index that is read, in bytes."""


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".json":
        shards = _shards(path)
        merged = {}
        for shard in sorted(set(shards.values())):
            merged.update(_read(path.parent / shard))
        missing = shards.keys() - merged.keys()
        if missing:
            raise DamagedError(f"The shards of {path.name} lack {min(missing)}.")
        return merged
    with opened(path) as file:
        zipped = file.read(2) == b"PK"  # accelerate 0.21 and 0.22 named such files .safetensors
    return (
        rewriting_tensors.read_archive(path) if zipped else rewriting_tensors.read_safetensors(path)
    )


def formats_for(models: list[StoredModel], wanted: WantedWeights) -> tuple[WeightFormat, ...]:
    """The formats to write: the one asked for, or what serves most releases.

    Releases that know safetensors look for it first and fall back to `.bin`; older ones know `.bin`
    alone. Weights that share memory fit no safetensors file that suits both the releases that need
    every name and those that reject a second name, and a tensor that is a part of its storage; so
    they go to `.bin` alone.

    Raises:
        UsageError: safetensors is asked for, and there is something that it can't hold.
    """
    both = (WeightFormat.BIN, WeightFormat.SAFETENSORS)
    opaque = [model.files[0] for model in models if model.opaque]
    match wanted:
        case WantedWeights.BIN:
            return (WeightFormat.BIN,)
        case WantedWeights.AUTO:
            bound = any(m.shared or not all(t.whole for t in m.weights.values()) for m in models)
            return (WeightFormat.BIN,) if opaque or bound else both
    if opaque:
        raise UsageError(
            f"{opaque[0]} holds more than tensors, which safetensors can't.", "Use --weights bin."
        )
    return both if wanted is WantedWeights.BOTH else (WeightFormat.SAFETENSORS,)
