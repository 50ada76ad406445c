"""Facts and every conclusion drawn from them, in one value that is shown or written as JSON."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from statistics import median
from typing import Any

import msgspec

from ckptmatrix.checkpoint.format.safety import Rating
from ckptmatrix.checkpoint.inspect.facts import CounterFact, Facts
from ckptmatrix.checkpoint.inspect.gathering import gather
from ckptmatrix.checkpoint.inspect.outlook import Prospect, outlook
from ckptmatrix.checkpoint.inspect.provenance import (
    PACKAGES,
    About,
    Observation,
    problems_of,
    provenance,
    range_of,
)
from ckptmatrix.checkpoint.inspect.telling_fsdp import which_fsdp
from ckptmatrix.checkpoint.inspect.training_stacks import TrainingStack, recognise


@dataclass(frozen=True)
class Inspection:
    """Everything that `ckptmatrix inspect` says of one directory."""

    facts: Facts
    """What was read."""
    stack: TrainingStack
    """Who wrote it."""
    evidence: tuple[Observation, ...]
    """What is known of the writer's versions, processes and GPUs."""
    counters: tuple[CounterFact, ...]
    """Where each count of steps lives."""
    globals: dict[Rating, dict[str, list[str]]]
    """How dangerous -> name -> files that name it."""
    problems: tuple[str, ...]
    """What is missing or damaged."""
    outlook: tuple[Prospect, ...]
    """What will happen when it is loaded."""

    @property
    def is_checkpoint(self) -> bool:
        """Whether this is a checkpoint of any kind that is known here."""
        return self.stack.id != "unknown"

    @property
    def dangerous(self) -> tuple[str, ...]:
        """Files that run code when they are loaded, or were not read to their end and may."""
        return tuple(file.name for file in self.facts.files if file.dangerous)

    @property
    def note(self) -> str:
        """What to know about resuming; empty if nothing."""
        above = f"{self.facts.above} is the directory for load_state; this is a part of it."
        return " ".join(filter(None, (self.stack.note, above if self.facts.above else "")))

    def range(self, package: About) -> str:
        """The versions of a package that can have written it; empty if nothing is known."""
        return range_of(self.evidence, package)


def inspect(directory: Path) -> Inspection:
    """Read a directory and conclude.

    Raises:
        UsageError: no such directory.
    """
    facts = gather(directory)
    stack = recognise(facts)
    return Inspection(
        facts=facts,
        stack=stack,
        evidence=(*provenance(facts), *which_fsdp(facts)),
        counters=_counters(facts, stack),
        globals=_globals(facts),
        problems=problems_of(facts),
        outlook=outlook(facts),
    )


def _counters(facts: Facts, stack: TrainingStack) -> tuple[CounterFact, ...]:
    found = [
        CounterFact(
            "step", fact.step, fact.file, "accelerator.step, micro-batches; read by accelerate"
        )
        for fact in facts.random
        if fact.step is not None
    ]
    found += [
        CounterFact("step", fact.steps, fact.file, "optimizer steps; read by the optimizer")
        for fact in facts.optimizers
        if fact.steps is not None
    ]
    found += [
        CounterFact(
            "last_epoch", fact.last_epoch, fact.file, "scheduler steps; read by the scheduler"
        )
        for fact in facts.schedulers
        if fact.last_epoch is not None
    ]
    for counter in stack.counters:
        value = facts.documents.get(counter.file, {}).get(counter.key)
        if isinstance(value, int | float):
            found.append(CounterFact(counter.key, value, counter.file, counter.meaning))
    name = PurePath(facts.directory).name
    match = re.search(r"(?:checkpoint[-_]|step_?)(\d{1,18})|-(\d{6})-state$", name)
    if match:
        value = int(match[1] or match[2])
        meaning = "in the name; epochs" if match[2] else "in the name; steps, or number of the save"
        found.append(CounterFact("name", value, name, meaning))
    return tuple(found)


def _globals(facts: Facts) -> dict[Rating, dict[str, list[str]]]:
    levels: dict[Rating, dict[str, list[str]]] = {rating: {} for rating in reversed(Rating)}
    for file in facts.files:
        for name, level in file.globals.items():
            levels[level].setdefault(name, []).append(file.name)
    return levels


def oddities(inspections: list[Inspection]) -> dict[str, str]:
    """Which of several directories stand out, and how.

    Returns:
        Directory -> what is odd about it; those that are like the others are left out.
    """
    kinds = [frozenset(_kinds(one)) for one in inspections]
    usual = max(kinds, key=kinds.count) if kinds else frozenset()
    alike = kinds.count(usual) * 2 > len(kinds)
    middle = median(one.facts.bytes for one in inspections) if inspections else 0
    odd: dict[str, str] = {}
    for one, have in zip(inspections, kinds, strict=True):
        said = list(one.problems[:2])
        if not one.is_checkpoint:
            said.append("no checkpoint")
        if alike and len(inspections) > 2:
            if missing := sorted(usual - have):
                said.append("lacks " + ", ".join(missing))
            if extra := sorted(have - usual):
                said.append("has also " + ", ".join(extra))
        if len(inspections) > 2 and one.facts.bytes * 2 < middle:
            said.append("less than half as large as most")
        if one.dangerous:
            said.insert(0, "dangerous pickle")
        if said:
            odd[one.facts.directory] = "; ".join(said)
    return odd


def _kinds(one: Inspection) -> set[str]:
    """Its files at the top, numbers aside (`random_states_N.pkl`)."""
    return {re.sub(r"\d+", "N", file.name) for file in one.facts.files if "/" not in file.name}


def as_json(one: Inspection) -> dict[str, Any]:
    """A value for `--json`: the facts without the list of tensors, and the conclusions."""
    value = msgspec.to_builtins(one, enc_hook=str)
    assert isinstance(value, dict)
    for kind in ("models", "nested"):
        for model, fact in zip(value["facts"][kind], getattr(one.facts, kind), strict=True):
            model["tensors"] = len(fact.tensors)
            model["parameters"] = fact.numel
            model["dtypes"] = fact.dtypes
            model["shared"] = fact.shared
    value["dangerous"] = list(one.dangerous)
    value["note"] = one.note
    value["writer"] = {name.value: one.range(name) for name in PACKAGES}
    value["outlook"] = [
        {
            "accelerate": str(box.accelerate),
            "torch": str(box.torch),
            "numpy": str(box.numpy),
            "fsdp": box.fsdp or "",
            **msgspec.to_builtins(box.outcome),
        }
        for box in one.outlook
    ]
    return value
