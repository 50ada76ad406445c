"""What an environment will make of a checkpoint: a pure function of facts and versions.

It follows `load_accelerator_state` step by step, in its order (model, optimizer, scheduler,
scaler, random states, step, custom objects), and asks `knowledge.releases`
wherever releases differ.
The script is taken to be the one that wrote the checkpoint: same objects, same hooks, as many
processes. Its answers are compared with measured cells by the tests.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from packaging.version import Version

from ckptmatrix.checkpoint.format.names import SCALER
from ckptmatrix.checkpoint.inspect.facts import Facts, ModelFact
from ckptmatrix.checkpoint.inspect.simulated_load import Load, RaisedError, Reader, open_file
from ckptmatrix.checkpoint.inspect.simulated_random_states import GENERATORS, random_states
from ckptmatrix.checkpoint.inspect.training_stacks import TrainingStack, recognise
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
    """`exact`, `degraded`, `failed`, `unsupported` or `not-run`."""
    components: dict[str, Verdict] = field(default_factory=dict)
    """Verdict for each component; where the load raises, what has become of it by then."""
    cause: str = ""
    """Why, in one word: where the grid has that cause too, its id there; empty for `exact`."""
    reason: str = ""
    """Why, in one or two sentences; for `exact` what to keep in mind, if anything."""
    raises: str = ""
    """Start of the exception that ends the load, such as `KeyError: 'step'`."""


def predict(facts: Facts, accelerate: str, torch: str, numpy: str) -> Prediction:
    """Say what `Accelerator.load_state` will do with this directory.

    Args:
        facts: what was read of the directory.
        accelerate: release of the reader, such as `0.33.0`.
        torch: its torch, such as `2.13.0`; a local part (`+cpu`) makes no difference.
        numpy: its numpy.

    Returns:
        The expected outcome, in the words of the grid.
    """
    reader = Reader(accelerate, torch, numpy)
    stack = recognise(facts)
    impossible = _impossible(stack, reader)
    if impossible is not None:
        return impossible
    load = Load(facts, reader, stack)
    try:
        for step in _STEPS:
            step(load)
    except RaisedError as error:
        verdicts = {**_untouched(load), **load.verdicts}
        return Prediction(Status.FAILED, verdicts, error.cause, error.reason, error.raises)
    bad = [name for name, verdict in load.verdicts.items() if verdict in _BAD]
    # Without the state of a scheduler or a sampler the steps to come have other learning rates
    # or samples, though nothing that was saved is lost.
    unsaved = {name for name, verdict in load.verdicts.items() if verdict is Verdict.UNSAVED}
    if bad or unsaved & {"scheduler", "dataloader"}:
        cause, reason = min(load.notes, key=lambda note: _WEIGHTS.get(note[0], 1))
        return Prediction(Status.DEGRADED, load.verdicts, cause, reason)
    return Prediction(
        Status.EXACT, load.verdicts, reason=" ".join(reason for _, reason in load.notes)
    )


_BAD = (Verdict.LOST, Verdict.WRONG)
_WEIGHTS = {
    "stale-files": 0,
    "scheduler-overlooked": 2,
    "dataloader-ignored": 2,
    "step-ignored": 3,
    "seedable-sampler": 4,
    "missing-step": 5,
}
"""Which of several silent failures is named as the cause: the lowest; all others count 1."""


def _impossible(stack: TrainingStack, reader: Reader) -> Prediction | None:
    """What is no matter of loading: environments that cannot be, directories of other tools."""
    release = reader.release
    if release.numpy_below and Version(reader.numpy) >= Version(release.numpy_below):
        reason = f"accelerate {reader.accelerate} requires numpy < {release.numpy_below}."
        return Prediction(Status.NOT_RUN, cause="requirements", reason=reason)
    if Version(reader.torch) < Version(release.torch_from):
        reason = f"accelerate {reader.accelerate} requires torch >= {release.torch_from}."
        return Prediction(Status.NOT_RUN, cause="requirements", reason=reason)
    if not stack.accelerate:
        reason = f"{stack.title} does not load it with Accelerator.load_state."
        return Prediction(Status.UNSUPPORTED, cause="other-loader", reason=reason)
    if stack.hooks and not release.hooks:
        first = ACCELERATE.first_with(hooks=True)
        reason = f"{stack.title} needs load hooks; accelerate has them from {first} on."
        return Prediction(Status.UNSUPPORTED, cause="hooks-missing", reason=reason)
    return None


def _untouched(load: Load) -> dict[str, Verdict]:
    """Every component as it is if the load does nothing at all."""
    facts = load.facts
    random = next(iter(facts.random), None)
    had_scheduler = any("initial_lr" in fact.group_keys for fact in facts.optimizers)
    saved = {
        "model": True,
        "optimizer": bool(_indexed(facts, "optimizer")),
        "scheduler": bool(_indexed(facts, "scheduler")),
        "scaler": facts.scaler,
        **dict.fromkeys(GENERATORS, True),
        "rng.cuda": random is not None and bool(random.cuda),
        "step": random is not None and "step" in random.keys,
        "custom": bool(facts.custom),
    }
    verdicts = {name: Verdict.LOST for name, there in saved.items() if there}
    if had_scheduler and not saved["scheduler"]:
        verdicts["scheduler"] = Verdict.UNSAVED
    if not saved["step"] and load.reader.release.step is not StepRead.NONE:
        verdicts["step"] = Verdict.UNSAVED
    return verdicts


def _hooks(load: Load) -> None:
    """Load hooks run before everything else; they are the script's own and no release's matter."""
    if load.stack.hook_files:
        load.verdicts["hook_files"] = Verdict.RESTORED


def _models(load: Load) -> None:
    models = load.facts.models
    if not models:
        if load.stack.hooks:
            load.verdicts["model"] = Verdict.RESTORED
            return
        name = "pytorch_model.bin"
        raise RaisedError(
            f"FileNotFoundError: [Errno 2] No such file or directory: '.../{name}'",
            "weights-missing",
            "There are no weights at the top level, and nothing shows that a hook would load them.",
        )
    by_format = {
        kind: {m.index: m for m in models if m.format == kind} for kind in ("safetensors", "bin")
    }
    for index in sorted({model.index for model in models}):
        _model(load, index, by_format["safetensors"].get(index), by_format["bin"].get(index))
    load.verdicts.setdefault("model", Verdict.RESTORED)


def _model(load: Load, index: int, safe: ModelFact | None, pickled: ModelFact | None) -> None:
    """One model: which of its two possible files is read, and whether the other one is newer."""
    release, name = load.reader.release, f"pytorch_model{f'_{index}' if index else ''}.bin"
    read, other = pickled, safe
    if safe is not None and (release.weights is not WeightsRead.BIN or pickled is None):
        read, other = safe, pickled
    if read is None or (read is safe and release.weights is WeightsRead.BIN):
        first = ACCELERATE.first_with(weights=WeightsRead.BY_NAME)
        raise RaisedError(
            f"FileNotFoundError: [Errno 2] No such file or directory: '.../{name}'",
            "safetensors-unknown",
            f"The weights are in model.safetensors; accelerate {load.reader.accelerate} looks "
            f"for {name} only, releases from {first} on for both.",
        )
    file = load.facts.file(read.file)
    if read is safe and file is not None and file.problem:
        raise RaisedError(
            "SafetensorError: Error while deserializing header",
            "damaged-file",
            f"{read.file} {file.problem}.",
        )
    if read is pickled:
        open_file(load, read.file, weights_only=load.reader.refuses)
    stale = other is not None and index in load.facts.stale
    newer = load.facts.file(other.file) if other is not None and stale else None
    if file is not None and newer is not None and newer.modified > file.modified:
        load.verdicts["model"] = Verdict.WRONG
        reason = f"{read.file} is read although {newer.name} is the newer one."
        load.notes.append(("stale-files", reason))


def _open_all(load: Load, component: str, names: list[str], *, weights_only: bool) -> None:
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


def _optimizers(load: Load) -> None:
    names = _indexed(load.facts, "optimizer")
    _open_all(load, "optimizer", names, weights_only=load.reader.refuses)


def _schedulers(load: Load) -> None:
    files = _indexed(load.facts, "scheduler")
    had_one = any("initial_lr" in fact.group_keys for fact in load.facts.optimizers)
    old_torch = not TORCH.at(load.reader.torch).new_schedulers
    if not load.reader.release.sees_schedulers and not old_torch:
        if files or had_one:
            load.verdicts["scheduler"] = Verdict.LOST if files else Verdict.UNSAVED
            load.notes.append(
                (
                    "scheduler-overlooked",
                    f"accelerate {load.reader.accelerate} does not take torch 2's schedulers for "
                    "schedulers: it neither saves nor loads them, without a word.",
                )
            )
        return
    if not files and had_one:
        raise RaisedError(
            "FileNotFoundError: [Errno 2] No such file or directory: '.../scheduler.bin'",
            "scheduler-not-saved",
            "There was a scheduler (the optimizer keeps its initial_lr), but its writer saved no "
            "scheduler.bin: accelerate up to 0.14.0 and 0.16.0 overlook it on torch 2.",
        )
    _open_all(load, "scheduler", files, weights_only=load.reader.refuses)


def _dataloaders(load: Load) -> None:
    """The position of stateful dataloaders, for the releases that know them."""
    if load.reader.release.seedable_sampler is SeedableSampler.ALWAYS:
        load.verdicts["dataloader"] = Verdict.UNSAVED
        reason = (
            f"accelerate {load.reader.accelerate} shuffles by a sampler of its own, whose position "
            "is in no checkpoint: a shuffled loader begins anew with other samples."
        )
        load.notes.append(("seedable-sampler", reason))
    stateful = [name for name in load.facts.samplers if name.startswith("dl_state_dict")]
    if not stateful:
        return
    if not load.reader.release.stateful:
        load.verdicts["dataloader"] = Verdict.LOST
        load.notes.append(
            ("dataloader-ignored", f"accelerate {load.reader.accelerate} ignores {stateful[0]}.")
        )
        return
    _open_all(load, "dataloader", stateful, weights_only=load.reader.refuses)


def _scaler(load: Load) -> None:
    if load.facts.scaler:
        open_file(load, SCALER, weights_only=load.reader.refuses)
        load.verdicts["scaler"] = Verdict.RESTORED


def _custom(load: Load) -> None:
    """Registered objects; from 1.1.0 on accelerate loads them with `weights_only=False`."""
    release = load.reader.release
    weights_only = load.reader.refuses_by_default and not release.asks_weights_only
    names = [f"custom_checkpoint_{index}.pkl" for index in load.facts.custom]
    _open_all(load, "custom", names, weights_only=weights_only)


def _indexed(facts: Facts, stem: str) -> list[str]:
    """Names of the numbered files of one kind, in order."""
    found: list[tuple[int, str]] = []
    for file in facts.files:
        if file.name == f"{stem}.bin":
            found.append((0, file.name))
        elif file.name.startswith(f"{stem}_") and file.name.endswith(".bin"):
            number = file.name[len(stem) + 1 : -len(".bin")]
            if number.isdigit():
                found.append((int(number), file.name))
    return [name for _, name in sorted(found)]


_STEPS: tuple[Callable[[Load], None], ...] = (
    _hooks,
    _models,
    _optimizers,
    _schedulers,
    _dataloaders,
    _scaler,
    random_states,
    _custom,
)
