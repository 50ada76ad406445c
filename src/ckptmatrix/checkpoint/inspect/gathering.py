"""Reading a directory into `Facts`: with `twins`, what touches the disk in this package."""

import os
import stat
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from ckptmatrix.checkpoint.format import names
from ckptmatrix.checkpoint.format.archive import PICKLE_LIMIT, read_archive
from ckptmatrix.checkpoint.format.names import FileKind, WeightFormat
from ckptmatrix.checkpoint.format.opening import UnreadableError, open_inside
from ckptmatrix.checkpoint.format.pickles import PickleStructure, keys_of, read_pickle
from ckptmatrix.checkpoint.format.safetensors import TensorSpec, read_header
from ckptmatrix.checkpoint.format.safety import rate_globals
from ckptmatrix.checkpoint.format.tensors import tensors_of
from ckptmatrix.checkpoint.inspect.describing import optimizer_fact, random_fact, scheduler_fact
from ckptmatrix.checkpoint.inspect.facts import Facts, FileFact, ModelFact
from ckptmatrix.checkpoint.inspect.twins import same_numbers
from ckptmatrix.errors import UsageError

ENTRY_LIMIT = 10_000
"""Files and folders that are looked at in one directory."""
DEPTH_LIMIT = 3
"""How deep folders are entered."""
DOCUMENT_LIMIT = 1 << 20
"""Largest JSON file that is read, in bytes."""
DESCRIPTION_BUDGET = 256 << 20
"""Bytes of pickles that are read in one directory, all files together."""


@dataclass(frozen=True)
class _DirectoryEntry:
    """What the listing of a folder says of one file."""

    size: int
    problem: str
    modified: float


@dataclass(frozen=True)
class _Content:
    """What one file yielded."""

    fact: FileFact
    pickle: PickleStructure | None = None
    tensors: tuple[TensorSpec, ...] = ()
    document: dict[str, Any] | None = None
    records: tuple[tuple[str, int], ...] = ()


def gather(directory: Path) -> Facts:
    """Read what the files of a directory say of themselves.

    Args:
        directory: a checkpoint, or anything else; nothing in it is trusted or executed.

    Raises:
        UsageError: no such directory.
    """
    if not directory.is_dir():
        is_file = directory.exists()
        raise UsageError(
            f"{str(directory)!r} is a file."
            if is_file
            else f"There is no directory {str(directory)!r}.",
            "Name a directory that Accelerator.save_state wrote.",
        )
    found, folders, problems = _walk(directory)
    budget = DESCRIPTION_BUDGET
    contents: dict[str, _Content] = {}
    for name, entry in found.items():
        problem, used = entry.problem, 0
        if budget <= 0 and names.PICKLED.fullmatch(name.rpartition("/")[2]):
            problem = f"was not read: more than {DESCRIPTION_BUDGET >> 20} MiB of descriptions"
        if problem:
            content = _Content(FileFact(name, entry.size, problem))
        else:
            content, used = _read(directory, name, entry.size)
        budget -= used
        contents[name] = replace(content, fact=replace(content.fact, modified=entry.modified))
    modified = max((entry.modified for entry in found.values()), default=0.0)
    facts = _assemble(str(directory), modified, contents, folders, problems)
    return replace(facts, stale=_stale(directory, facts.models))


def _stale(root: Path, models: tuple[ModelFact, ...]) -> tuple[int, ...]:
    """Indices of the models whose two files differ."""
    pickled = {model.index: model for model in models if model.format is WeightFormat.BIN}
    return tuple(
        model.index
        for model in models
        if model.format is WeightFormat.SAFETENSORS
        and model.index in pickled
        and not same_numbers(root, model, pickled[model.index])
    )


def looks_like_checkpoint(directory: Path) -> bool:
    """Whether a directory holds files under a checkpoint's names; by names alone."""
    try:
        with os.scandir(directory) as entries:
            return any(names.is_mark(entry.name) for entry in islice(entries, ENTRY_LIMIT))
    except OSError:
        return False


def _walk(root: Path) -> tuple[dict[str, _DirectoryEntry], list[str], list[str]]:
    """Names, sizes and kinds, without opening anything and without following folder links."""
    found: dict[str, _DirectoryEntry] = {}
    folders: list[str] = []
    problems: list[str] = []
    pending = [("", 0)]
    while pending:
        folder, depth = pending.pop()
        try:
            with os.scandir(root / folder) as entries:
                listed = sorted(islice(entries, ENTRY_LIMIT + 1), key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"folder {folder or '.'!r} cannot be listed ({error.strerror})")
            continue
        for entry in listed:
            if len(found) + len(folders) >= ENTRY_LIMIT:
                problems.append(f"more than {ENTRY_LIMIT} files; the others were not looked at")
                return dict(sorted(found.items())), sorted(folders), problems
            name = folder + entry.name
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                folders.append(name + "/")
                if depth + 1 < DEPTH_LIMIT:
                    pending.append((name + "/", depth + 1))
                continue
            size, problem = status.st_size, ""
            if stat.S_ISLNK(status.st_mode):
                size, problem = _linked(root, name)
            elif not stat.S_ISREG(status.st_mode):
                problem = "is no regular file"
            found[name] = _DirectoryEntry(size, problem, status.st_mtime)
    return dict(sorted(found.items())), sorted(folders), problems


def _linked(root: Path, name: str) -> tuple[int, str]:
    """Size of what a link leads to, if that is a file inside `root`."""
    try:
        with open_inside(root, name) as stream:
            return os.fstat(stream.fileno()).st_size, ""
    except UnreadableError as error:
        return 0, str(error)


def _read(root: Path, name: str, size: int) -> tuple[_Content, int]:
    """Read one file as what its name says; also how much of the budget that took."""
    base = name.rpartition("/")[2]
    try:
        if names.WEIGHTS.fullmatch(base):
            with open_inside(root, name) as stream:
                header = read_header(stream)
            fact = FileFact(name, size, header.problem, keys=tuple(sorted(header.metadata)))
            return _Content(fact, tensors=header.tensors), 0
        if base == ".metadata":
            with open_inside(root, name) as stream:
                data = stream.read(PICKLE_LIMIT + 1)
            return _from_pickle(name, size, read_pickle(data)), len(data)
        if names.PICKLED.fullmatch(base):
            with open_inside(root, name) as stream:
                archive = read_archive(stream)
            content = _from_pickle(name, size, read_pickle(archive.pickle))
            container = frozenset(key for key in archive.records if not key.startswith("data/"))
            records = tuple(archive.records.items())
            problem = content.fact.problem or _missing_records(content, archive.records)
            fact = replace(content.fact, container=container, problem=problem)
            return replace(content, fact=fact, records=records), len(archive.pickle)
        if names.DOCUMENT.fullmatch(base) and size <= DOCUMENT_LIMIT:
            with open_inside(root, name) as stream:
                return _from_document(name, size, stream.read(DOCUMENT_LIMIT + 1)), 0
    except UnreadableError as error:
        return _Content(FileFact(name, size, str(error))), 0
    except OSError as error:
        return _Content(FileFact(name, size, f"cannot be read ({error.strerror})")), 0
    return _Content(FileFact(name, size)), 0


def _from_pickle(name: str, size: int, structure: PickleStructure) -> _Content:
    fact = FileFact(
        name,
        size,
        structure.problem,
        globals=rate_globals(structure.globals),
        keys=keys_of(structure.value)[:1000],
    )
    return _Content(fact, pickle=structure)


def _missing_records(content: _Content, records: dict[str, int]) -> str:
    """A tensor whose numbers are not in the archive."""
    assert content.pickle is not None
    for spec in tensors_of(content.pickle.value, 3):
        if f"data/{spec.storage}" not in records:
            return f"lacks the numbers of {spec.name!r} (record data/{spec.storage})"
    return ""


def _from_document(name: str, size: int, data: bytes) -> _Content:
    try:
        parsed = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return _Content(FileFact(name, size, f"is no valid JSON ({error})"))
    if not isinstance(parsed, dict):
        return _Content(FileFact(name, size))
    return _Content(FileFact(name, size, keys=tuple(parsed)[:1000]), document=parsed)


def _assemble(
    directory: str,
    modified: float,
    contents: dict[str, _Content],
    folders: list[str],
    problems: list[str],
) -> Facts:
    """Sort what the files yielded by what their names say they are."""
    models: list[ModelFact] = []
    nested: list[ModelFact] = []
    optimizers, schedulers, random = [], [], []
    for name, content in contents.items():
        value = content.pickle.value if content.pickle is not None else None
        match names.kind_of(name):
            case (FileKind.MODEL_SAFETENSORS, index):
                models.append(ModelFact(index, name, WeightFormat.SAFETENSORS, content.tensors))
            case (FileKind.MODEL_BIN, index):
                models.append(_pickled_model(index, name, value))
            case _ if content.tensors:
                format_ = WeightFormat.SAFETENSORS
                nested.append(ModelFact(len(nested), name, format_, content.tensors))
            case (FileKind.OPTIMIZER, index) if value is not None:
                optimizers.append(optimizer_fact(index, name, value))
            case (FileKind.SCHEDULER, index) if value is not None:
                schedulers.append(scheduler_fact(index, name, value))
            case (FileKind.RANDOM_STATES, index) if value is not None:
                random.append(random_fact(index, name, value, dict(content.records)))
    custom = (FileKind.CUSTOM.index(name) for name in contents)
    return Facts(
        directory=directory,
        modified=modified,
        files=tuple(content.fact for content in contents.values()),
        folders=tuple(folders),
        models=tuple(
            sorted(models, key=lambda fact: (fact.index, fact.format is WeightFormat.BIN))
        ),
        nested=tuple(nested),
        optimizers=tuple(sorted(optimizers, key=lambda fact: fact.index)),
        schedulers=tuple(sorted(schedulers, key=lambda fact: fact.index)),
        random=tuple(sorted(random, key=lambda fact: fact.rank)),
        custom=tuple(sorted(index for index in custom if index is not None)),
        scaler=FileKind.SCALER.file() in contents,
        samplers=tuple(
            name
            for name in contents
            for kind in (FileKind.SAMPLER, FileKind.DATALOADER)
            if kind.index(name) is not None
        ),
        documents={
            name: _plain_members(content.document)
            for name, content in contents.items()
            if content.document is not None
        },
        problems=tuple(problems),
    )


def _pickled_model(index: int, name: str, value: Any) -> ModelFact:
    specs = tuple(tensors_of(value))
    known = {spec.name for spec in specs}
    extras = tuple(key for key in keys_of(value) if key not in known)[:100]
    return ModelFact(index, name, WeightFormat.BIN, specs, extras)


def _plain_members(document: dict[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Numbers, flags and short texts at the top of a JSON object; the first hundred of them."""
    plain = {
        key: value
        for key, value in document.items()
        if value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and abs(value) < 1 << 63)
        or (isinstance(value, str) and len(value) <= 200)
    }
    return dict(list(plain.items())[:100])
