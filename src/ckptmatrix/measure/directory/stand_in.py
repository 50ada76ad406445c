"""What a worker has to build so that a user's directory can be loaded without the user's code."""

import re
from pathlib import Path

from ckptmatrix.checkpoint.inspect.facts import Facts, OptimizerFact
from ckptmatrix.checkpoint.inspect.inspection import Inspection
from ckptmatrix.measure.directory.truth import Truth
from ckptmatrix.worker.stand_in import StandIn

_REAL = frozenset(
    f"torch.optim.{name}"
    for name in (
        *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax"),
        *("ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"),
    )
)
"""Optimizers that a worker builds as they are; of others, which are not installed there, it builds
one that takes any state."""


_NESTED = re.compile(r"\w+/(diffusion_)?pytorch_model\.bin|pytorch_lora_weights\.bin")
_DOCUMENT = re.compile(r"train(ing)?_state\.json|\w+_ema/config\.json")
"""JSON files that hooks keep training state in."""


def missing(stand_in: StandIn, facts: Facts) -> dict[str, tuple[str, ...]]:
    """Components that the stand-in prepares and the directory has no file of."""
    lacks = {
        "optimizer": stand_in.optimizers and not facts.optimizers,
        "scheduler": stand_in.schedulers and not facts.schedulers,
    }
    return {name: () for name, lacking in lacks.items() if lacking}


def hooked_files(found: Inspection) -> tuple[str, ...]:
    """Files that the stack's hooks read, as far as it is known how."""
    facts = found.facts
    if not found.stack.hook_files:
        return ()
    pickled = [file.name for file in facts.files if _NESTED.fullmatch(file.name)]
    nested = [] if facts.models else [*(model.file for model in facts.nested), *pickled]
    documents = [name for name in facts.documents if _DOCUMENT.fullmatch(name)]
    return (*sorted(name for name in nested if name.count("/") < 2), *documents)


def describe(stem: Path, found: Inspection, truth: Truth, scheduler: bool | None) -> StandIn:
    """Describe the stand-in.

    Args:
        stem: where the truth lies.
        found: what was seen in the directory.
        truth: what was read of it.
        scheduler: whether the script prepares a scheduler; None to conclude it.
    """
    facts, hooked = found.facts, hooked_files(found)
    optimizers = tuple(_kind(fact) for fact in facts.optimizers)
    schedulers = len(facts.schedulers)
    if scheduler is False:
        schedulers = 0
    elif not schedulers and (scheduler or overlooked(facts)):
        schedulers = max(1, len(optimizers))
    if schedulers and not optimizers:
        optimizers = ("",)
    return StandIn(
        str(stem),
        optimizers,
        schedulers,
        len(facts.custom),
        facts.scaler,
        truth.tied,
        hooked,
        found.stack.hooks,
        tuple(truth.opaque),
    )


def overlooked(facts: Facts) -> bool:
    """Whether a scheduler was at work whose state is not in the directory."""
    marks = any("initial_lr" in fact.group_keys for fact in facts.optimizers)
    return marks and not facts.schedulers


def _kind(fact: OptimizerFact) -> str:
    """Name in `torch.optim` if the real class takes the state without changing it."""
    plain = all(dtype.startswith(("F", "BF")) for dtype in fact.dtypes)
    counted = fact.steps is not None  # real classes turn a plain `step` into a tensor
    name = fact.candidates[0] if fact.candidates else ""
    return name.rpartition(".")[2] if name in _REAL and plain and not counted else ""
