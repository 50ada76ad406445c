"""What wrote a checkpoint, as far as its files tell: each conclusion with its evidence."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.checkpoint.format.names import (
    FSDP_WEIGHTS,
    FileKind,
    WeightFormat,
    is_model_states,
    zero_rank,
)
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore
from ckptmatrix.checkpoint.format.random_states import RandomKey, is_of_device
from ckptmatrix.checkpoint.inspect.facts import DECOUPLED, Facts, RandomFact
from ckptmatrix.knowledge.releases import (
    ACCELERATE,
    NUMPY,
    TORCH,
    CudaKeySaved,
    WeightsRead,
    device_key_since,
)


class About(StrEnum):
    """What is concluded on."""

    ACCELERATE = "accelerate"
    TORCH = "torch"
    NUMPY = "numpy"
    PROCESSES = "processes"
    GPUS = "GPUs"
    FSDP = "FSDP"
    DEEPSPEED = "DeepSpeed"


PACKAGES = (About.ACCELERATE, About.TORCH, About.NUMPY)
"""What has versions."""


@dataclass(frozen=True)
class Observation:
    """Something that was seen and what follows from it."""

    about: About
    """What it tells of."""
    conclusion: str
    """A version range such as `>=0.32.0`, or a plain statement."""
    because: str
    """What was seen, one clause."""


def provenance(facts: Facts) -> tuple[Observation, ...]:
    """Everything that the files tell about their writer."""
    return (
        *_accelerate(facts),
        *_torch(facts),
        *_numpy(facts),
        *_processes(facts),
        *_deepspeed(facts),
    )


def range_of(evidence: tuple[Observation, ...], package: About) -> str:
    """The narrowest version range that all evidence on one package leaves; empty if none does.

    Returns:
        A specifier such as `>=0.32.0,<1.5.0`; or `contradictory`, when parts of the directory come
        from different writers.
    """
    specifiers = [s for e in evidence if e.about == package for s in SpecifierSet(e.conclusion)]
    lows = [Version(s.version) for s in specifiers if s.operator == ">="]
    highs = [Version(s.version) for s in specifiers if s.operator == "<"]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low >= high:
        return "contradictory"
    parts = [f">={low}"] if low is not None else []
    parts += [f"<{high}"] if high is not None else []
    for excluded in sorted({s.version for s in specifiers if s.operator == "!="}):
        bound = Version(excluded.removesuffix(".*"))
        if (low is None or low <= bound) and (high is None or bound < high):
            parts.append(f"!={excluded}")
    return ",".join(parts)


def _accelerate(facts: Facts) -> Iterator[Observation]:
    if any(model.format is WeightFormat.SAFETENSORS for model in facts.models):
        since = ACCELERATE.first_with(weights=WeightsRead.BY_NAME)
        yield Observation(About.ACCELERATE, f">={since}", "save_state wrote model.safetensors")
    for random in facts.random[:1]:
        yield from _random_states(random)
    if any(FileKind.DATALOADER.index(name) is not None for name in facts.samplers):
        stateful = ACCELERATE.span_of(stateful=True)
        yield Observation(About.ACCELERATE, stateful.specifier, "there is a dl_state_dict.bin")
    if any(FSDP_WEIGHTS in name for name in (*facts.folders, *_names(facts))):
        named = ACCELERATE.span_of(names_fsdp_weights=True)
        seen = f"FSDP's weights are called {FSDP_WEIGHTS}"
        yield Observation(About.ACCELERATE, named.specifier, seen)
    had_scheduler = any("initial_lr" in fact.group_keys for fact in facts.optimizers)
    if had_scheduler and not facts.schedulers and facts.file(FileKind.SCHEDULER.file()) is None:
        seeing = reversed(ACCELERATE.spans_of(sees_schedulers=True))
        yield Observation(
            About.ACCELERATE,
            ",".join(span.excluded for span in seeing),
            "the optimizer keeps a scheduler's initial_lr, but no scheduler.bin was written "
            "(unless the script did not prepare its scheduler)",
        )
    for random in facts.random[:1]:
        if random.numpy == NumpyCore.NUMPY_2:
            older = ACCELERATE.span_of(numpy_below="2")
            seen = f"written under numpy 2, which {' and '.join(older.series)} exclude"
            yield Observation(About.ACCELERATE, older.excluded, seen)


def _random_states(random: RandomFact) -> Iterator[Observation]:
    """What the keys of the first process's random states tell of accelerate."""
    step = ACCELERATE.span_of(restores_step=True)
    if RandomKey.STEP in random.keys:
        yield Observation(About.ACCELERATE, step.specifier, f"{random.file} has a step")
    elif random.keys:
        yield Observation(About.ACCELERATE, step.excluded, f"{random.file} has no step")
    always = ACCELERATE.span_of(cuda_key_saved=CudaKeySaved.ALWAYS)
    if random.cuda == 0:
        seen = f"{random.file} has an empty torch_cuda_manual_seed"
        yield Observation(About.ACCELERATE, always.specifier, seen)
    elif random.keys and not any(map(is_of_device, random.keys)):
        seen = f"{random.file} has no torch_cuda_manual_seed, and no other device's"
        yield Observation(About.ACCELERATE, always.excluded, seen)
    for key in random.keys:
        since = device_key_since(key)
        if since is not None:
            yield Observation(About.ACCELERATE, f">={since}", f"{random.file} has {key}")


def _names(facts: Facts) -> tuple[str, ...]:
    return tuple(file.name for file in facts.files)


def _torch(facts: Facts) -> Iterator[Observation]:
    zipped = [file for file in facts.files if file.container]
    if not zipped:
        return
    first = zipped[0]
    newer, older = ".format_version", "byteorder"
    if newer in first.container:
        record, seen = newer, f"has a record {newer}"
    elif older in first.container:
        record, seen = older, f"has a record {older}, but no {newer}"
    else:
        record, seen = "", f"has no record {older}"
    span = TORCH.span_of(newest_record=record)
    yield Observation(About.TORCH, span.specifier, f"{first.name} {seen}")
    for optimizer in facts.optimizers[:1]:
        if optimizer.adam_decouples:
            seen = f"{optimizer.file}: its groups have {DECOUPLED}"
            span = TORCH.span_of(adam_decouples=True)
            yield Observation(About.TORCH, span.specifier, seen)
    for random in facts.random[:1]:
        size = random.cuda_bytes
        if any(size == TORCH.at(str(start)).cuda_state_bytes for start in TORCH.starts):
            span = TORCH.span_of(cuda_state_bytes=size)
            yield Observation(About.TORCH, span.specifier, f"a CUDA state has {size} bytes")


def _numpy(facts: Facts) -> Iterator[Observation]:
    for random in facts.random[:1]:
        if random.numpy in tuple(NumpyCore):
            span = NUMPY.span_of(core=random.numpy)
            yield Observation(About.NUMPY, span.specifier, f"{random.file} names {random.numpy}")


def _processes(facts: Facts) -> Iterator[Observation]:
    ranks = [random.rank for random in facts.random]
    if not ranks:
        return
    count = len(ranks)
    files = "random_states_0.pkl alone" if ranks == [0] else f"{count} files random_states_N.pkl"
    yield Observation(About.PROCESSES, str(max(ranks) + 1), files)
    if ranks == [0] and "-state" in facts.directory:
        yield Observation(
            About.PROCESSES,
            "perhaps more",
            "kohya's scripts save on the main process only, whatever the number of processes",
        )
    gpus = facts.random[0].cuda
    if gpus:
        seen = f"{facts.random[0].file} has {gpus} CUDA states"
        yield Observation(About.GPUS, f"{gpus} visible to each process", seen)
    elif gpus == 0 or not any(map(is_of_device, facts.random[0].keys)):
        yield Observation(About.GPUS, "0", f"{facts.random[0].file} has no CUDA state")


def _deepspeed(facts: Facts) -> Iterator[Observation]:
    for told in dict.fromkeys((fact.stage, fact.version) for fact in facts.zero):
        stage, version = told
        first = next(fact for fact in facts.zero if (fact.stage, fact.version) == told)
        said = f"{version}, " if version else ""
        yield Observation(About.DEEPSPEED, f"{said}ZeRO stage {stage}", f"{first.file} says so")


def problems_of(facts: Facts) -> tuple[str, ...]:
    """What is missing or damaged, one sentence each."""
    found = list(facts.problems)
    found += [f"{file.name} {file.problem}" for file in facts.files if file.problem]
    files = {file.name for file in facts.files}
    found += _gaps(files)
    found += _shards_missing(files)
    found += _outgrown(facts)
    return tuple(found)


def _gaps(files: set[str]) -> Iterator[str]:
    """Numbered files whose predecessors are missing."""
    numbered = (FileKind.OPTIMIZER, FileKind.SCHEDULER, FileKind.CUSTOM, FileKind.RANDOM_STATES)
    for kind in numbered:
        there = {index for name in files if (index := kind.index(name)) is not None}
        lost = max(there, default=0) + 1 - len(there) if there else 0
        if lost:
            first = next(index for index in range(len(there) + 1) if index not in there)
            more = f", and {lost - 1} more" if lost > 1 else ""
            yield f"{kind.file(first)} is missing{more}, though {kind.file(max(there))} is there"


def _shards_missing(files: set[str]) -> Iterator[str]:
    """Processes whose part of a DeepSpeed optimizer is missing, and weights that are."""
    folders = {name.rpartition("/")[0] for name in files if zero_rank(name) is not None}
    for folder in sorted(folders):
        if not any(name.startswith(folder) and is_model_states(name) for name in files):
            yield f"{folder or '.'} has the optimizer's shards and no mp_rank_00_model_states.pt"
    there = {rank for name in files if (rank := zero_rank(name)) is not None}
    if there and len(there) != max(there) + 1:
        first = next(rank for rank in range(len(there) + 1) if rank not in there)
        yield f"the optimizer's shard of rank {first} is missing (zero_pp_rank_{first}_...)"


def _outgrown(facts: Facts) -> Iterator[str]:
    """Weights in two formats at once that are not the same."""
    since = ACCELERATE.first_with(weights=WeightsRead.BY_NAME)
    for index in facts.stale:
        pair = [facts.file(model.file) for model in facts.models if model.index == index]
        older, newer = sorted(filter(None, pair), key=lambda file: file.modified)
        safe, pickled = sorted((older.name, newer.name))
        yield (
            f"{safe} and {pickled} hold different weights ({newer.name} is the newer file); "
            f"releases from {since} on read {safe}, older ones {pickled}"
        )
