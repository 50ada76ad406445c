"""The imagined load of random_states_N.pkl: generators, `accelerator.step`, swallowed failures."""

from ckptmatrix.checkpoint.inspect.facts import RandomFact
from ckptmatrix.checkpoint.inspect.simulated_load import Load, RaisedError, open_file
from ckptmatrix.knowledge.releases import (
    ACCELERATE,
    NUMPY,
    CudaKeySaved,
    NumpyCore,
    RngErrors,
    StepRead,
)
from ckptmatrix.model import Verdict

_WITH_CUDA = ACCELERATE.first_with(cuda_key_saved=CudaKeySaved.WITH_CUDA)
GENERATORS = ("rng.python", "rng.numpy", "rng.torch")
"""The generators that every checkpoint holds."""


def random_states(load: Load) -> None:
    """Random states and step of every rank; one rank that loses them is enough."""
    ranks = {fact.rank: fact for fact in load.facts.random}
    worst: RaisedError | None = None
    for rank in range(max(ranks, default=0) + 1):
        try:
            open_file(load, f"random_states_{rank}.pkl", weights_only=load.reader.refuses)
        except RaisedError as error:
            worst = _swallowed(load, rank, error)
            break
    known = next(iter(ranks.values()), None)
    if worst is None:
        _restored(load, known)
        return
    if load.reader.release.rng_errors is RngErrors.RAISED:
        raise worst
    for name in GENERATORS:
        load.verdicts[name] = Verdict.LOST
    if known is not None and known.cuda:
        load.verdicts["rng.cuda"] = Verdict.LOST
    _step(load, known, worst)


def _swallowed(load: Load, rank: int, error: RaisedError) -> RaisedError:
    """The same failure under the name that it has for random states, with what follows from it."""
    reader = load.reader
    causes = {
        "file-missing": "random-states-missing",
        "damaged-file": "random-states-damaged",
        "numpy-core-missing": "numpy-major",
    }
    cause, reason = causes.get(error.cause, "numpy-refused"), error.reason
    if error.cause == "pickle-refused" and "numpy" not in reason:
        cause = "pickle-refused"
    elif error.cause == "pickle-refused" and reader.release.asks_weights_only:
        old = not NUMPY.at(reader.numpy).dtype_classes
        cause = "numpy-too-old" if old else "numpy-major"
        spelled = "numpy < 2" if NumpyCore.NUMPY_1 in reason else "numpy 2"
        reason = (
            f"numpy {reader.numpy} is older than {NUMPY.first_with(dtype_classes=True)}, so "
            "accelerate cannot allow the dtype of "
            "numpy's random state."
            if old
            else f"The random states were written under {spelled}; accelerate allows only the "
            f"spelling of the numpy that runs, {reader.numpy}."
        )
    if reader.release.rng_errors is RngErrors.RAISED and cause == "numpy-refused":
        cause = "loud-refusal"
    return RaisedError(error.raises, cause, f"Rank {rank}: {reason}" if rank else reason)


def _restored(load: Load, known: RandomFact | None) -> None:
    """The file could be read; what is missing in it may still stop the load."""
    release = load.reader.release
    if release.step is StepRead.DEMANDED and (known is None or "step" not in known.keys):
        # It is asked for first, so that the generators are not set either.
        since = ACCELERATE.first_with(restores_step=True)
        reason = f"random_states_0.pkl has no step; its writer was older than {since}. {_UNGUARDED}"
        raise RaisedError("KeyError: 'step'", "missing-step", reason)
    for name in GENERATORS:
        load.verdicts[name] = Verdict.RESTORED
    if release.rng_errors is RngErrors.RAISED and known is not None and known.cuda is None:
        raise RaisedError(
            "KeyError: 'torch_cuda_manual_seed'",
            "cuda-key",
            f"Releases from {_WITH_CUDA} on write no CUDA entry on the CPU; this one needs it.",
        )
    if known is not None and known.cuda:
        load.verdicts["rng.cuda"] = Verdict.RESTORED
    _step(load, known, None)


_UNGUARDED = "This release needs step unguarded."


def _step(load: Load, known: RandomFact | None, failure: RaisedError | None) -> None:
    """`accelerator.step`, which lies in the file of the random states; then what was swallowed."""
    kind = load.reader.release.step
    saved = known is not None and "step" in known.keys
    if kind is StepRead.DEMANDED and failure is not None:
        cause = "refused-step" if failure.cause == "numpy-refused" else f"step-{failure.cause}"
        raise RaisedError("KeyError: 'step'", cause, f"{failure.reason} {_UNGUARDED}")
    if failure is not None:
        load.notes.append((failure.cause, f"{failure.reason} Only an INFO line says so."))
    if kind is StepRead.NONE:
        return
    if not saved:
        load.verdicts["step"] = Verdict.UNSAVED
        if failure is None:
            load.notes.append(("missing-step", "accelerator.step is not in the checkpoint."))
        return
    ignored = kind is StepRead.UNSAVED
    load.verdicts["step"] = Verdict.LOST if ignored or failure else Verdict.RESTORED
    if ignored:
        note = f"accelerate {load.reader.accelerate} does not read accelerator.step."
        load.notes.append(("step-ignored", note))
