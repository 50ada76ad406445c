"""What a perfect load of a directory would hold, read from its files without running anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from ckptmatrix.checkpoint.format import rewriting_archives, rewriting_tensors
from ckptmatrix.checkpoint.format.names import FileKind
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.format.rewriting_tensors import Tensor
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.repair import weight_files
from ckptmatrix.errors import CkptmatrixError
from ckptmatrix.measure.directory.neutral_from_files import (
    Encoder,
    NotNeutralError,
    is_empty,
    named,
)


class MissingError(CkptmatrixError):
    """Something is not in the directory, so there is no saying what a load must bring."""


@dataclass(frozen=True)
class Truth:
    """The training state that lies in a directory."""

    trees: dict[str, Any]
    """Component -> tree, as `worker/neutral.py` has them."""
    encoder: Encoder
    """The arrays that the trees name."""
    tied: tuple[tuple[tuple[str, ...], ...], ...]
    """For each model, the groups of its names that are one tensor."""
    unsaved: dict[str, tuple[str, ...]]
    """Components that every training has, and the directory has not; nothing is known of them."""
    opaque: dict[str, str] = field(default_factory=dict)
    """Component that cannot be compared -> why."""


def without_step(truth: Truth) -> Truth:
    """The same where `step` is made up: it is no truth, and nothing is known of it."""
    component = RandomKey.STEP.component
    trees = {name: tree for name, tree in truth.trees.items() if name != component}
    return replace(truth, trees=trees, unsaved={**truth.unsaved, component: ()})


def read_truth(
    directory: Path, facts: Facts, hooked: tuple[str, ...], tied: Mapping[str, str], trusted: bool
) -> Truth:
    """Read every component.

    Args:
        directory: the checkpoint, or a copy of it.
        facts: what was seen in it.
        hooked: files of weights that the script's own hooks load, and JSON files of theirs.
        tied: name of a weight that a file left out -> the one that it is.
        trusted: leave out what cannot be compared, rather than refuse the directory.

    Raises:
        NotNeutralError: a file holds what only its own code can make, and `trusted` is false.
        MissingError: a numbered file is missing.
        DamagedError: a file is damaged.
    """
    encoder = Encoder()
    trees: dict[str, Any] = {}
    unsaved: dict[str, tuple[str, ...]] = {}
    opaque: dict[str, str] = {}
    models, groups = _models(directory, encoder, hooked, tied)
    if models:
        trees["model"] = named(models)
    for component, files in (
        ("optimizer", {fact.index: fact.file for fact in facts.optimizers}),
        ("scheduler", {fact.index: fact.file for fact in facts.schedulers}),
        ("custom", {index: FileKind.CUSTOM.file(index) for index in facts.custom}),
    ):
        _check_whole(component, files)
        try:
            states = {
                str(index): encoder.graph(rewriting_archives.read(directory / files[index]))
                for index in sorted(files)
            }
        except NotNeutralError as error:
            if not trusted or component == "optimizer":
                raise
            opaque[component] = error.message
            continue
        if component == "optimizer":
            states = {i: _used(encoder, state, files[int(i)]) for i, state in states.items()}
        if not is_empty(named(states)):
            trees[component] = named(states)
    if facts.scaler:
        trees["scaler"] = encoder.graph(rewriting_archives.read(directory / FileKind.SCALER.file()))
    own = _own(directory, hooked, encoder)
    if own:
        trees["hook_files"] = named(own)
    _random(directory, encoder, trees, unsaved)
    return Truth(trees, encoder, groups, unsaved, opaque)


def _check_whole(component: str, files: Iterable[int]) -> None:
    indices = sorted(files)
    if indices != list(range(len(indices))):
        gap = min(set(range(len(indices))) - set(indices))
        raise MissingError(
            f"the {component} numbered {gap} is missing, though number {indices[-1]} is there.",
            "Copy the directory again, or take an earlier one.",
        )


def is_average(file: str) -> bool:
    """Whether a file of weights is a moving average that hooks keep beside the model."""
    return "_ema" in file.rpartition("/")[0] or file.startswith("ema")


def _models(
    directory: Path, encoder: Encoder, hooked: tuple[str, ...], tied: Mapping[str, str]
) -> tuple[dict[str, Any], tuple[tuple[tuple[str, ...], ...], ...]]:
    """The tree of each model, those that hooks load last; and what is tied in each."""
    found: list[Any] = []
    groups: list[tuple[tuple[str, ...], ...]] = []
    models = weight_files.find(directory, tied)
    _check_whole("model", [model.index for model in models])
    for model in models:
        if model.opaque:
            found.append(_mixed(encoder, directory / model.origin[0]))
        else:
            found.append(_weights(encoder, model.weights))
        groups.append(_same(model.weights))
    for file in hooked:
        if not is_average(file) and not file.endswith(".json"):
            found.append(_weights(encoder, _read(directory / file)))
            groups.append(())
    return {str(index): tree for index, tree in enumerate(found)}, tuple(groups)


def _read(path: Path) -> Mapping[str, Tensor]:
    safe = path.suffix == ".safetensors"
    return (
        rewriting_tensors.read_safetensors(path) if safe else rewriting_tensors.read_archive(path)
    )


def _mixed(encoder: Encoder, path: Path) -> Any:
    """The tree of a `.bin` that holds more than tensors: extra states of modules."""
    tree = encoder.graph(rewriting_archives.read(path))
    for name, value in tree["items"] if isinstance(tree, dict) and "items" in tree else ():
        plain = isinstance(value, dict) and value["~"] == "tensor"
        if not plain and name.rpartition(".")[2] != "_extra_state":
            raise NotNeutralError(path.name, f"{name}, which is no tensor,")
    return tree


def _weights(encoder: Encoder, found: Mapping[str, Tensor]) -> Any:
    return named({name: encoder.tensor(tensor) for name, tensor in found.items()})


def _same(found: Mapping[str, Tensor]) -> tuple[tuple[str, ...], ...]:
    """Groups of names that are the very same tensor; other views of one storage stay apart."""
    places: dict[tuple[Any, ...], list[str]] = {}
    for name, tensor in found.items():
        if tensor.nbytes:
            places.setdefault(tensor.place, []).append(name)
    return tuple(tuple(names) for names in places.values() if len(names) > 1)


def _used(encoder: Encoder, state: Any, file: str) -> Any:
    """An optimizer's tree without state that belongs to no parameter of its groups."""
    members = dict(state["items"]) if isinstance(state, dict) and state["~"] == "dict" else {}
    if set(members) != {"state", "param_groups"}:
        raise NotNeutralError(file, "more than an optimizer's `state` and `param_groups`")
    groups = [dict(group["items"]) for group in members["param_groups"]]
    steps = sum(encoder.count(group["params"]) for group in groups)
    kept = [pair for pair in members["state"]["items"] if pair[0] in range(steps)]
    return named({**members, "state": {"~": "dict", "items": kept}})


def _own(directory: Path, hooked: tuple[str, ...], encoder: Encoder) -> dict[str, Any]:
    """What hooks read beside the models: JSON files, and averages of the models."""
    found: dict[str, Any] = {}
    for file in hooked:
        if file.endswith(".json"):
            found[file] = encoder.value(msgspec.json.decode((directory / file).read_bytes()))
        elif is_average(file):
            found[file] = _weights(encoder, _read(directory / file))
    return found


def _random(
    directory: Path, encoder: Encoder, trees: dict[str, Any], unsaved: dict[str, tuple[str, ...]]
) -> None:
    """The generators of the first process, and `step`."""
    file = directory / FileKind.RANDOM_STATES.file()
    archive = rewriting_archives.read(file) if file.is_file() else None
    states = archive.root if archive and isinstance(archive.root, dict) else {}
    for key in RandomKey:
        component = key.component
        value = states.get(key)
        if value is None or (component == "rng.cuda" and not value):
            if component != "rng.cuda":
                unsaved[component] = ()
        elif component == "rng.numpy" and isinstance(value[1], list):
            # As `ckptmatrix repair` writes it; numpy gives back an array all the same.
            kind, keys, *rest = value
            tree = [encoder.value(kind), encoder.ints(keys, "<u4"), *map(encoder.value, rest)]
            trees[component] = {"~": "tuple", "items": tree}
        else:
            trees[component] = encoder.value(value, archive)
