"""What wrote a checkpoint, as far as its files tell: each conclusion with its evidence."""

from collections.abc import Iterator
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.knowledge import releases


@dataclass(frozen=True)
class Evidence:
    """One observation and what follows from it."""

    about: str
    """`accelerate`, `torch`, `numpy`, `processes` or `GPUs`."""
    conclusion: str
    """A version range such as `>=0.32.0`, or a plain statement."""
    because: str
    """What was seen, one clause."""


def provenance(facts: Facts) -> tuple[Evidence, ...]:
    """Everything that the files tell about their writer."""
    return (
        *_accelerate(facts),
        *_torch(facts),
        *_numpy(facts),
        *_processes(facts),
    )


def range_of(evidence: tuple[Evidence, ...], package: str) -> str:
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


def _accelerate(facts: Facts) -> Iterator[Evidence]:
    step_since = releases.first_with(step="demanded")
    safe_since = releases.first_with(weights="safetensors by name")
    if any(model.format == "safetensors" for model in facts.models):
        yield Evidence("accelerate", f">={safe_since}", "save_state wrote model.safetensors")
    for random in facts.random[:1]:
        if "step" in random.keys:
            yield Evidence("accelerate", f">={step_since}", f"{random.file} has a step")
        elif random.keys:
            yield Evidence("accelerate", f"<{step_since}", f"{random.file} has no step")
        if random.cuda == 0:
            seen = f"{random.file} has an empty torch_cuda_manual_seed"
            yield Evidence("accelerate", "<1.5.0", seen)
        elif random.keys and not any(
            key.startswith(("torch_", "xm_")) for key in _devices(random.keys)
        ):
            seen = f"{random.file} has no torch_cuda_manual_seed, and no other device's"
            yield Evidence("accelerate", ">=1.5.0", seen)
        if "torch_xpu_manual_seed" in random.keys:
            yield Evidence("accelerate", ">=0.20.0", f"{random.file} has an XPU state")
        if "torch_hpu_manual_seed" in random.keys:
            yield Evidence("accelerate", ">=1.5.0", f"{random.file} has an HPU state")
    if any(name.startswith("dl_state_dict") for name in facts.samplers):
        since = releases.first_with(stateful=True)
        yield Evidence("accelerate", f">={since}", "there is a dl_state_dict.bin")
    if any("pytorch_model_fsdp" in name for name in (*facts.folders, *_names(facts))):
        yield Evidence("accelerate", ">=0.25.0", "FSDP's weights are called pytorch_model_fsdp")
    had_scheduler = any("initial_lr" in fact.group_keys for fact in facts.optimizers)
    if had_scheduler and not facts.schedulers and facts.file("scheduler.bin") is None:
        yield Evidence(
            "accelerate",
            "<0.17.0,!=0.15.0",
            "the optimizer keeps a scheduler's initial_lr, but no scheduler.bin was written "
            "(unless the script did not prepare its scheduler)",
        )
    for random in facts.random[:1]:
        if random.numpy == "numpy._core":
            seen = "written under numpy 2, which 0.32 and 0.33 exclude"
            yield Evidence("accelerate", "!=0.32.*,!=0.33.*", seen)


def _devices(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys if key != "torch_manual_seed")


def _names(facts: Facts) -> tuple[str, ...]:
    return tuple(file.name for file in facts.files)


def _torch(facts: Facts) -> Iterator[Evidence]:
    zipped = [file for file in facts.files if file.container]
    if not zipped:
        return
    first = zipped[0]
    if ".format_version" in first.container:
        yield Evidence("torch", ">=2.7", f"{first.name} has a record .format_version")
    elif "byteorder" in first.container:
        seen = f"{first.name} has a record byteorder, but no .format_version"
        yield Evidence("torch", ">=2.1,<2.7", seen)
    else:
        yield Evidence("torch", "<2.1", f"{first.name} has no record byteorder")
    for optimizer in facts.optimizers[:1]:
        if "decoupled_weight_decay" in optimizer.group_keys and any(
            "Adam" in name for name in optimizer.candidates
        ):
            seen = f"{optimizer.file}: its groups have decoupled_weight_decay"
            yield Evidence("torch", ">=2.7", seen)
    for random in facts.random[:1]:
        if random.cuda_bytes == 16:
            yield Evidence("torch", ">=2.1", "a CUDA state has 16 bytes")
        elif random.cuda_bytes == 816:
            yield Evidence("torch", "<2.1", "a CUDA state has 816 bytes")


def _numpy(facts: Facts) -> Iterator[Evidence]:
    for random in facts.random[:1]:
        if random.numpy == "numpy.core":
            yield Evidence("numpy", "<2", f"{random.file} names numpy.core")
        elif random.numpy == "numpy._core":
            yield Evidence("numpy", ">=2.0", f"{random.file} names numpy._core")


def _processes(facts: Facts) -> Iterator[Evidence]:
    ranks = [random.rank for random in facts.random]
    if not ranks:
        return
    count = len(ranks)
    files = "random_states_0.pkl alone" if ranks == [0] else f"{count} files random_states_N.pkl"
    yield Evidence("processes", str(max(ranks) + 1), files)
    if ranks == [0] and "-state" in facts.directory:
        yield Evidence(
            "processes",
            "perhaps more",
            "kohya's scripts save on the main process only, whatever the number of processes",
        )
    gpus = facts.random[0].cuda
    if gpus:
        seen = f"{facts.random[0].file} has {gpus} CUDA states"
        yield Evidence("GPUs", f"{gpus} visible to each process", seen)
    elif gpus == 0 or not _devices_seen(facts):
        yield Evidence("GPUs", "0", f"{facts.random[0].file} has no CUDA state")


def _devices_seen(facts: Facts) -> bool:
    return any(key.endswith("_manual_seed") for key in _devices(facts.random[0].keys))


def problems_of(facts: Facts) -> tuple[str, ...]:
    """What is missing or damaged, one sentence each."""
    found = list(facts.problems)
    found += [f"{file.name} {file.problem}" for file in facts.files if file.problem]
    ranks = {random.rank for random in facts.random}
    files = {file.name for file in facts.files}
    for rank in range(max(ranks, default=0)):
        if f"random_states_{rank}.pkl" not in files:
            found.append(f"random_states_{rank}.pkl is missing, though later ranks have theirs")
    found += _gaps(files)
    found += _outgrown(facts)
    return tuple(found)


def _gaps(files: set[str]) -> Iterator[str]:
    """Numbered files whose predecessors are missing."""
    for stem, ending in (
        ("optimizer", ".bin"),
        ("scheduler", ".bin"),
        ("custom_checkpoint", ".pkl"),
    ):
        numbers = {
            int(name[len(stem) + 1 : -len(ending)])
            for name in files
            if name.startswith(stem + "_")
            and name[len(stem) + 1 : -len(ending)].isdigit()
            and len(name) < 60
        }
        if not numbers:
            continue
        for number in range(min(max(numbers), 1000)):
            plain = stem != "custom_checkpoint" and number == 0
            name = f"{stem}{ending}" if plain else f"{stem}_{number}{ending}"
            if name not in files:
                yield f"{name} is missing, though {stem}_{max(numbers)}{ending} is there"


def _outgrown(facts: Facts) -> Iterator[str]:
    """Weights in two formats at once that are not the same."""
    for index in facts.stale:
        pair = [facts.file(model.file) for model in facts.models if model.index == index]
        older, newer = sorted(filter(None, pair), key=lambda file: file.modified)
        safe, pickled = sorted((older.name, newer.name))
        yield (
            f"{safe} and {pickled} hold different weights ({newer.name} is the newer file); "
            f"releases from 0.25 on read {safe}, older ones {pickled}"
        )
