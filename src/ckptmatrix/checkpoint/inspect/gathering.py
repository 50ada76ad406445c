"""Reading a directory into `Facts`: with `twins`, what touches the disk in this package."""

import os
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from ckptmatrix.checkpoint.format import names
from ckptmatrix.checkpoint.format.file_fact import Reading
from ckptmatrix.checkpoint.format.inert import InertCall, Pairs, keys_of
from ckptmatrix.checkpoint.format.listing import ENTRY_LIMIT, Listing, listing
from ckptmatrix.checkpoint.format.names import PICKLED_STATES, FileKind, WeightFormat
from ckptmatrix.checkpoint.format.opening import UnreadError
from ckptmatrix.checkpoint.format.reading_directories import read_files
from ckptmatrix.checkpoint.format.reading_files import Content
from ckptmatrix.checkpoint.format.tensors import tensors_of
from ckptmatrix.checkpoint.inspect.describing import (
    engine_fact,
    optimizer_fact,
    random_fact,
    scheduler_fact,
    sharded_optimizer_fact,
    zero_fact,
)
from ckptmatrix.checkpoint.inspect.facts import (
    EngineFact,
    Facts,
    ModelFact,
    OptimizerFact,
    RandomFact,
    SchedulerFact,
    ZeroFact,
)
from ckptmatrix.checkpoint.inspect.twins import same_numbers
from ckptmatrix.errors import UsageError


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
    found = listing(directory)
    contents = read_files(directory, found.files)
    for name, listed in found.files.items():
        fact = replace(contents[name].fact, modified=listed.modified)
        contents[name] = replace(contents[name], fact=fact)
    modified = max((listed.modified for listed in found.files.values()), default=0.0)
    facts = _assemble(str(directory), modified, contents, found)
    return replace(facts, stale=_stale(directory, facts.models), above=_above(directory, facts))


def _above(directory: Path, facts: Facts) -> str:
    """The folder above, where the random states are there and not here."""
    states = FileKind.RANDOM_STATES.file()
    parent = directory.resolve().parent
    there = not facts.file(states) and (parent / states).is_file()
    return str(parent) if there else ""


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


class DamagedContentError(Exception):
    """A file that can be read holds something else than its name says."""


def _holds_no_dict(name: str, value: Any) -> bool:
    kind = names.kind_of(name)
    dicts = (*PICKLED_STATES, FileKind.RANDOM_STATES, FileKind.MODEL_BIN)
    return kind is not None and kind[0] in dicts and not isinstance(value, Pairs | InertCall)


@dataclass
class _Sorted:
    """What the files hold, by what their names say they are."""

    models: list[ModelFact] = field(default_factory=list)
    nested: list[ModelFact] = field(default_factory=list)
    optimizers: list[OptimizerFact] = field(default_factory=list)
    schedulers: list[SchedulerFact] = field(default_factory=list)
    random: list[RandomFact] = field(default_factory=list)
    zero: list[ZeroFact] = field(default_factory=list)
    engines: list[EngineFact] = field(default_factory=list)

    def take(self, name: str, content: Content) -> None:
        """Describe one file.

        Raises:
            UnreadError: it describes more than is looked at.
        """
        value = content.pickle.value if content.pickle is not None else None
        read = content.pickle is not None and content.fact.reading is Reading.READ
        if read and _holds_no_dict(name, value):
            raise DamagedContentError("holds no dict")
        safetensors = WeightFormat.SAFETENSORS
        match names.kind_of(name):
            case (FileKind.MODEL_SAFETENSORS, index):
                self.models.append(ModelFact(index, name, safetensors, content.tensors))
            case (FileKind.MODEL_BIN, index):
                self.models.append(_pickled_model(index, name, value))
            case None if read and (which := names.sharded_optimizer(name)) is not None:
                self.optimizers.append(sharded_optimizer_fact(which, name, value))
            case None if read and names.zero_rank(name) is not None:
                self.zero += filter(None, [zero_fact(name, value)])
            case None if read and names.is_model_states(name):
                self.engines += filter(None, [engine_fact(name, value)])
            case _ if content.tensors:
                self.nested.append(ModelFact(len(self.nested), name, safetensors, content.tensors))
            case (FileKind.OPTIMIZER, index) if value is not None:
                self.optimizers.append(optimizer_fact(index, name, value))
            case (FileKind.SCHEDULER, index) if value is not None:
                self.schedulers.append(scheduler_fact(index, name, value))
            case (FileKind.RANDOM_STATES, index) if value is not None:
                self.random.append(random_fact(index, name, value, content.sizes or {}))


def _assemble(
    directory: str, modified: float, contents: dict[str, Content], found: Listing
) -> Facts:
    """Sort what the files yielded; what cannot be described was not read."""
    known = _Sorted()
    for name, content in contents.items():
        try:
            known.take(name, content)
        except DamagedContentError as error:
            fact = replace(content.fact, problem=str(error), reading=Reading.DAMAGED)
            contents[name] = replace(content, fact=fact)
        except Exception as error:  # noqa: BLE001 - nothing in a file may end the look at the others
            said = str(error) if isinstance(error, UnreadError) else type(error).__name__
            fact = replace(content.fact, problem=f"was not understood ({said})")
            contents[name] = replace(content, fact=replace(fact, reading=Reading.UNREAD))
    custom = (FileKind.CUSTOM.index(name) for name in contents)
    return Facts(
        directory=directory,
        modified=modified,
        files=tuple(content.fact for content in contents.values()),
        folders=found.folders,
        models=tuple(
            sorted(known.models, key=lambda fact: (fact.index, fact.format is WeightFormat.BIN))
        ),
        nested=tuple(known.nested),
        optimizers=tuple(sorted(known.optimizers, key=lambda fact: fact.index)),
        schedulers=tuple(sorted(known.schedulers, key=lambda fact: fact.index)),
        random=tuple(sorted(known.random, key=lambda fact: fact.rank)),
        zero=tuple(sorted(known.zero, key=lambda fact: fact.file)),
        engines=tuple(sorted(known.engines, key=lambda fact: fact.file)),
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
        problems=found.problems,
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
