"""What an environment will make of a checkpoint: a pure function of facts and versions.

It follows `load_accelerator_state` step by step, in its order (model, optimizer, scheduler,
scaler, random states, step, custom objects), and asks `knowledge.releases`
wherever releases differ.
The script is taken to be the one that wrote the checkpoint: same objects, same hooks, as many
processes. Its answers are compared with measured cells by the tests.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from packaging.version import Version

from ckptmatrix.checkpoint.format.names import FileKind, WeightFormat
from ckptmatrix.checkpoint.format.random_states import STREAMS, RandomKey
from ckptmatrix.checkpoint.inspect import fully_sharded, zero
from ckptmatrix.checkpoint.inspect.facts import Facts, ModelFact
from ckptmatrix.checkpoint.inspect.fully_sharded import NeverReturnsError, UnsupportedError
from ckptmatrix.checkpoint.inspect.simulated_load import (
    NotPredictedError,
    RaisedError,
    Reader,
    SimulatedLoad,
    open_file,
    unreadable,
)
from ckptmatrix.checkpoint.inspect.simulated_random_states import random_states
from ckptmatrix.checkpoint.inspect.telling_fsdp import Fsdp, candidates
from ckptmatrix.checkpoint.inspect.training_stacks import Sharded, recognise
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import (
    ACCELERATE,
    TORCH,
    SeedableSampler,
    StepRead,
    WeightsRead,
)
from ckptmatrix.model import Status, Verdict


@dataclass(frozen=True)
class Prediction:
    """What is expected of one environment."""

    status: Status
    """`exact`, `degraded`, `failed`, `timeout`, `unsupported` or `not-run`."""
    components: dict[str, Verdict] = field(default_factory=dict)
    """Verdict for each component; where the load raises, what has become of it by then."""
    cause: CauseId | Literal[""] = ""
    """Why, in one word; empty for `exact`."""
    reason: str = ""
    """Why, in one or two sentences; for `exact` what to keep in mind, if anything."""
    raises: str = ""
    """Start of the exception that ends the load, such as `KeyError: 'step'`."""

    def alike(self, other: "Prediction") -> bool:
        """Whether both are the same to a user; the wording may name other versions."""
        return (self.status, self.cause, self.raises, self.components) == (
            other.status, other.cause, other.raises, other.components,
        )  # fmt: skip


def predictions(
    facts: Facts, accelerate: str, torch: str, numpy: str
) -> dict[Fsdp | None, Prediction]:
    """Say what `Accelerator.load_state` will do with this directory, whatever the script is.

    Args:
        facts: what was read of the directory.
        accelerate: release of the reader, such as `0.33.0`.
        torch: its torch, such as `2.13.0`; a local part (`+cpu`) makes no difference.
        numpy: its numpy.

    Returns:
        FSDP that the script uses -> the expected outcome. None stands for every script, as for
        all directories that are not of FSDP.
    """
    found = {
        fsdp: predict(facts, accelerate, torch, numpy, fsdp)
        for fsdp in candidates(facts) or (None,)
    }
    first, *others = found.values()
    return {None: first} if all(map(first.alike, others)) else dict(found)


def predict(
    facts: Facts, accelerate: str, torch: str, numpy: str, fsdp: Fsdp | None = None
) -> Prediction:
    """The same for one script: what is expected of it, in the words of the grid.

    Args:
        facts, accelerate, torch, numpy: as above.
        fsdp: the version of FSDP that it uses, where the files do not tell it; without it what
            hangs on it is not predicted.
    """
    reader = Reader(accelerate, torch, numpy)
    stack = recognise(facts)
    told = candidates(facts)
    load = SimulatedLoad(facts, reader, stack, told[0] if len(told) == 1 else fsdp)
    impossible = _impossible(load)
    if impossible is not None:
        return impossible
    try:
        for step in _STEPS:
            step(load)
    except NotPredictedError as error:
        return Prediction(Status.NOT_RUN, reason=f"Not predicted: {error}")
    except UnsupportedError as error:
        return Prediction(Status.UNSUPPORTED, cause=error.cause, reason=str(error))
    except NeverReturnsError as error:
        return Prediction(Status.TIMEOUT, {}, error.cause, str(error))
    except RaisedError as error:
        verdicts = {**_untouched(load), **load.verdicts}
        return Prediction(Status.FAILED, verdicts, error.cause, error.reason, error.raises)
    bad = [name for name, verdict in load.verdicts.items() if verdict in _BAD]
    # Without the state of a scheduler or a sampler the steps to come have other learning rates
    # or samples, though nothing that was saved is lost.
    unsaved = {name for name, verdict in load.verdicts.items() if verdict is Verdict.UNSAVED}
    if bad or unsaved & {"scheduler", "dataloader"}:
        cause, reason = min(load.notes, key=lambda note: _ORDER.get(note[0], 1))
        return Prediction(Status.DEGRADED, load.verdicts, cause, reason)
    return Prediction(
        Status.EXACT, load.verdicts, reason=" ".join(reason for _, reason in load.notes)
    )


_BAD = (Verdict.LOST, Verdict.WRONG)
_ORDER = {
    CauseId.STALE_FILES: 0,
    CauseId.SCHEDULER_OVERLOOKED: 2,
    CauseId.DATALOADER_IGNORED: 2,
    CauseId.STEP_IGNORED: 3,
    CauseId.SEEDABLE_SAMPLER: 4,
    CauseId.MISSING_STEP: 5,
}
"""Which of several silent failures is named as the cause: the lowest; all others count 1."""


def _impossible(load: SimulatedLoad) -> Prediction | None:
    """What is no matter of loading: environments that cannot be, directories of other tools."""
    stack, reader, release = load.stack, load.reader, load.reader.release
    if release.numpy_below and Version(reader.numpy) >= Version(release.numpy_below):
        reason = f"accelerate {reader.accelerate} requires numpy < {release.numpy_below}."
        return Prediction(Status.NOT_RUN, cause=CauseId.REQUIREMENTS, reason=reason)
    if Version(reader.torch) < Version(release.torch_from):
        reason = f"accelerate {reader.accelerate} requires torch >= {release.torch_from}."
        return Prediction(Status.NOT_RUN, cause=CauseId.REQUIREMENTS, reason=reason)
    if not stack.accelerate:
        reason = f"{stack.title} does not load it with Accelerator.load_state."
        return Prediction(Status.UNSUPPORTED, cause=CauseId.OTHER_LOADER, reason=reason)
    if stack.hooks and not release.hooks:
        first = ACCELERATE.first_with(hooks=True)
        reason = f"{stack.title} needs load hooks; accelerate has them from {first} on."
        return Prediction(Status.UNSUPPORTED, cause=CauseId.HOOKS_MISSING, reason=reason)
    return None


def _untouched(load: SimulatedLoad) -> dict[str, Verdict]:
    """Every component as it is if the load does nothing at all."""
    facts = load.facts
    random = next(iter(facts.random), None)
    had_scheduler = any("initial_lr" in fact.group_keys for fact in facts.optimizers)
    saved = {
        "model": True,
        "optimizer": bool(_files(facts, FileKind.OPTIMIZER)) or bool(load.stack.sharded),
        "engine": load.stack.sharded is Sharded.DEEPSPEED,
        "scheduler": bool(_files(facts, FileKind.SCHEDULER)),
        "scaler": facts.scaler,
        **dict.fromkeys(STREAMS, True),
        RandomKey.CUDA.component: random is not None and bool(random.cuda),
        RandomKey.STEP.component: random is not None and RandomKey.STEP in random.keys,
        "custom": bool(facts.custom),
    }
    verdicts = {name: Verdict.LOST for name, there in saved.items() if there}
    if had_scheduler and not saved["scheduler"]:
        verdicts["scheduler"] = Verdict.UNSAVED
    step = RandomKey.STEP.component
    if not saved[step] and load.reader.release.step is not StepRead.NONE:
        verdicts[step] = Verdict.UNSAVED
    return verdicts


def _hooks(load: SimulatedLoad) -> None:
    """Load hooks run before everything else; they are the script's own, whatever the release."""
    if load.stack.hook_files:
        load.verdicts["hook_files"] = Verdict.RESTORED


def _models(load: SimulatedLoad) -> None:
    models = load.facts.models
    if (sharded := load.stack.sharded) is not None:
        _BY_SHARDING[sharded].models(load)
        return
    if not models:
        if load.stack.hooks:
            load.verdicts["model"] = Verdict.RESTORED
            return
        name = FileKind.MODEL_BIN.file()
        raise RaisedError(
            f"FileNotFoundError: [Errno 2] No such file or directory: '.../{name}'",
            CauseId.WEIGHTS_MISSING,
            "There are no weights at the top level, and nothing shows that a hook would load them.",
        )
    safe, pickled = (
        {model.index: model for model in models if model.format is format_}
        for format_ in (WeightFormat.SAFETENSORS, WeightFormat.BIN)
    )
    for index in sorted({model.index for model in models}):
        _model(load, index, safe.get(index), pickled.get(index))
    load.verdicts.setdefault("model", Verdict.RESTORED)


def _model(
    load: SimulatedLoad, index: int, safe: ModelFact | None, pickled: ModelFact | None
) -> None:
    """One model: which of its two possible files is read, and whether the other one is newer."""
    release, name = load.reader.release, FileKind.MODEL_BIN.file(index)
    read, other = pickled, safe
    if safe is not None and (release.weights is not WeightsRead.BIN or pickled is None):
        read, other = safe, pickled
    if read is None or (read is safe and release.weights is WeightsRead.BIN):
        first = ACCELERATE.first_with(weights=WeightsRead.BY_NAME)
        raise RaisedError(
            f"FileNotFoundError: [Errno 2] No such file or directory: '.../{name}'",
            CauseId.SAFETENSORS_UNKNOWN,
            f"The weights are in model.safetensors; accelerate {load.reader.accelerate} looks "
            f"for {name} only, releases from {first} on for both.",
        )
    file = load.facts.file(read.file)
    if read is safe and file is not None and file.problem:
        raise unreadable(file)
    if read is pickled:
        open_file(load, read.file, weights_only=load.reader.refuses)
    stale = other is not None and index in load.facts.stale
    newer = load.facts.file(other.file) if other is not None and stale else None
    if file is not None and newer is not None and newer.modified > file.modified:
        load.verdicts["model"] = Verdict.WRONG
        reason = f"{read.file} is read although {newer.name} is the newer one."
        load.notes.append((CauseId.STALE_FILES, reason))


def _open_all(load: SimulatedLoad, component: str, names: list[str], *, weights_only: bool) -> None:
    """Open the files of one component in turn; stopped on the way, it is half old and half new."""
    for number, name in enumerate(names):
        try:
            open_file(load, name, weights_only=weights_only)
        except RaisedError:
            if number:
                load.verdicts[component] = Verdict.WRONG
            raise
    if names:
        load.verdicts[component] = Verdict.RESTORED


def _optimizers(load: SimulatedLoad) -> None:
    if (sharded := load.stack.sharded) is not None:
        _BY_SHARDING[sharded].optimizers(load)
        return
    names = _files(load.facts, FileKind.OPTIMIZER)
    _open_all(load, "optimizer", names, weights_only=load.reader.refuses)


def _schedulers(load: SimulatedLoad) -> None:
    if load.stack.sharded is Sharded.DEEPSPEED and zero.keeps_schedule(load.facts):
        zero.schedulers(load)
        return
    files = _files(load.facts, FileKind.SCHEDULER)
    had_one = any("initial_lr" in fact.group_keys for fact in load.facts.optimizers)
    old_torch = not TORCH.at(load.reader.torch).new_schedulers
    if not load.reader.release.sees_schedulers and not old_torch:
        if files or had_one:
            load.verdicts["scheduler"] = Verdict.LOST if files else Verdict.UNSAVED
            load.notes.append(
                (
                    CauseId.SCHEDULER_OVERLOOKED,
                    f"accelerate {load.reader.accelerate} does not take torch 2's schedulers for "
                    "schedulers: it neither saves nor loads them, without a word.",
                )
            )
        return
    if not files and had_one:
        missing = FileKind.SCHEDULER.file()
        overlooking = " and ".join(
            span.up_to for span in ACCELERATE.spans_of(sees_schedulers=False)
        )
        raise RaisedError(
            f"FileNotFoundError: [Errno 2] No such file or directory: '.../{missing}'",
            CauseId.SCHEDULER_NOT_SAVED,
            "There was a scheduler (the optimizer keeps its initial_lr), but its writer saved no "
            f"{missing}: accelerate {overlooking} overlook it on torch 2.",
        )
    _open_all(load, "scheduler", files, weights_only=load.reader.refuses)


def _dataloaders(load: SimulatedLoad) -> None:
    """The position of stateful dataloaders, for the releases that know them."""
    if load.reader.release.seedable_sampler is SeedableSampler.ALWAYS:
        load.verdicts["dataloader"] = Verdict.UNSAVED
        reason = (
            f"accelerate {load.reader.accelerate} shuffles by a sampler of its own, whose position "
            "is in no checkpoint: a shuffled loader begins anew with other samples."
        )
        load.notes.append((CauseId.SEEDABLE_SAMPLER, reason))
    stateful = _files(load.facts, FileKind.DATALOADER)
    if not stateful:
        return
    if not load.reader.release.stateful:
        load.verdicts["dataloader"] = Verdict.LOST
        load.notes.append(
            (
                CauseId.DATALOADER_IGNORED,
                f"accelerate {load.reader.accelerate} ignores {stateful[0]}.",
            )
        )
        return
    _open_all(load, "dataloader", stateful, weights_only=load.reader.refuses)


def _scaler(load: SimulatedLoad) -> None:
    if load.facts.scaler:
        open_file(load, FileKind.SCALER.file(), weights_only=load.reader.refuses)
        load.verdicts["scaler"] = Verdict.RESTORED
        fully_sharded.scaler(load)


def _custom(load: SimulatedLoad) -> None:
    """Registered objects; from 1.1.0 on accelerate loads them with `weights_only=False`."""
    release = load.reader.release
    weights_only = load.reader.refuses_by_default and not release.asks_weights_only
    names = [FileKind.CUSTOM.file(index) for index in load.facts.custom]
    _open_all(load, "custom", names, weights_only=weights_only)


def _files(facts: Facts, kind: FileKind) -> list[str]:
    """Names of the files of one kind, in the order of their numbers."""
    indices = (kind.index(file.name) for file in facts.files)
    return [kind.file(index) for index in sorted(i for i in indices if i is not None)]


_BY_SHARDING = {Sharded.FSDP: fully_sharded, Sharded.DEEPSPEED: zero}
"""What takes weights and optimizer apart -> what becomes of them."""

_STEPS: tuple[Callable[[SimulatedLoad], None], ...] = (
    _hooks,
    _models,
    _optimizers,
    _schedulers,
    _dataloaders,
    _scaler,
    random_states,
    _custom,
)
