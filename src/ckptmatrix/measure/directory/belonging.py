"""Which shipped scenarios are like the training that wrote a directory. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ckptmatrix.checkpoint.format.names import FileKind, WeightFormat
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.fully_sharded import Kind, fully_sharded_state
from ckptmatrix.checkpoint.inspect.inspection import Inspection
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp, candidates
from ckptmatrix.checkpoint.inspect.training_stacks import Sharded

COMMON = ("basic", "kohya-lora", "diffusers-ema", "accumulation", "custom-objects", "ddp-2")
"""What most trainings do, where nothing is known of one: a loop of one's own, the two families of
scripts that have hooks, accumulated gradients, registered objects, several processes."""

_BY_STACK = {
    "kohya-network": ("kohya-lora",),
    "musubi-tuner": ("kohya-lora",),
    "diffusers": ("diffusers-ema",),
    "diffusers-ema": ("diffusers-ema",),
    "diffusers-lora": ("diffusers-ema",),
    "simpletuner": ("diffusers-ema",),
    "accelerate-automatic": ("automatic-naming",),
    "accelerate-weights": ("sharded",),
}
"""Training stack -> scenarios that save as it does; of any other, `basic` does."""


_FSDP = {
    (Fsdp.FSDP1, Kind.GATHERED): "fsdp-2",
    (Fsdp.FSDP1, Kind.SHARDS): "fsdp-2-sharded",
    (Fsdp.FSDP2, Kind.GATHERED): "fsdp-2-v2",
    (Fsdp.FSDP2, Kind.SHARDS): "fsdp-2-v2-sharded",
}
"""Version of FSDP and how its state is saved -> the scenario that saves so."""

_ZERO = {1: "zero-1", 2: "zero-2", 3: "zero-3"}
"""DeepSpeed's stage -> the scenario that saves so."""


@dataclass(frozen=True)
class _Trait:
    """Something that shows in a directory, and the scenarios that have it."""

    what: str
    """It in a few words."""
    scenarios: tuple[str, ...]
    """Their names."""
    shows: Callable[[Facts], bool]
    """Whether it is there."""


_TRAITS = (
    _Trait("several models", ("two-models",), lambda facts: len(facts.models) > 1),
    _Trait("several processes", ("ddp-2",), lambda facts: len(facts.random) > 1),
    _Trait("registered objects", ("custom-objects",), lambda facts: bool(facts.custom)),
    _Trait("a gradient scaler", ("fp16-scaler",), lambda facts: facts.scaler),
    _Trait(
        "a stateful dataloader",
        ("mid-epoch-stateful", "mid-epoch-stateful-seedable"),
        lambda facts: any(map(_is_stateful, facts.samplers)),
    ),
    _Trait(
        "a sampler's state",
        ("mid-epoch-seedable", "mid-epoch-set-epoch"),
        lambda facts: not all(map(_is_stateful, facts.samplers)),
    ),
    _Trait(
        "weights as .bin",
        ("bin-weights",),
        lambda facts: any(model.format is WeightFormat.BIN for model in facts.models),
    ),
    _Trait("weights that share memory", ("tied-weights",), lambda facts: _shared(facts)),
    _Trait("weights in float16", ("fp16-weights",), lambda facts: _all_of(facts, "F16")),
    _Trait("a compiled model", ("compiled",), lambda facts: _compiled(facts)),
    _Trait("two formats of weights", ("stale-files",), lambda facts: bool(facts.stale)),
    _Trait("an optimizer beyond Adam", ("optimizers",), lambda facts: _other_optimizer(facts)),
    _Trait(
        "random states of a GPU",
        ("gpu-written",),
        lambda facts: any(one.cuda for one in facts.random),
    ),
)


def belonging(found: Inspection, known: frozenset[str]) -> dict[str, str]:
    """The scenarios that are like a directory.

    Args:
        found: what was seen in it.
        known: scenarios that there are.

    Returns:
        Scenario -> what of the directory speaks for it, in a few words.
    """
    asked = dict(reversed(list(_named(found))))  # the first reason stands
    return {name: asked[name] for name in reversed(asked) if name in known}


def _named(found: Inspection) -> Iterator[tuple[str, str]]:
    if found.stack.sharded is not None:
        # What else shows in it is of sharded training as well; a plain one says nothing of it.
        for name in _sharded(found.facts, found.stack.sharded):
            yield name, found.stack.title
        return
    for name in _BY_STACK.get(found.stack.id, ("basic",)):
        yield name, found.stack.title
    for trait in _TRAITS:
        if trait.shows(found.facts):
            for name in trait.scenarios:
                yield name, trait.what


def _sharded(facts: Facts, by: Sharded) -> tuple[str, ...]:
    if by is Sharded.DEEPSPEED:
        stages = {fact.stage for fact in facts.zero} or set(_ZERO)
        return tuple(name for stage, name in _ZERO.items() if stage in stages)
    kinds = fully_sharded_state(facts).kinds or Kind
    return tuple(_FSDP[fsdp, kind] for fsdp in candidates(facts) for kind in Kind if kind in kinds)


def _is_stateful(name: str) -> bool:
    return FileKind.DATALOADER.index(name) is not None


def _shared(facts: Facts) -> bool:
    return any(model.shared for model in facts.models)


def _all_of(facts: Facts, dtype: str) -> bool:
    kinds = {name for model in facts.models for name in model.dtypes}
    return kinds == {dtype}


def _compiled(facts: Facts) -> bool:
    names = [spec.name for model in facts.models for spec in model.tensors]
    return bool(names) and all(name.startswith("_orig_mod.") for name in names)


def _other_optimizer(facts: Facts) -> bool:
    return any(
        one.candidates and not any("Adam" in name for name in one.candidates)
        for one in facts.optimizers
    )
