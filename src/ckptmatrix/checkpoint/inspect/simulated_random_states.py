"""The imagined load of random_states_N.pkl: generators, `accelerator.step`, swallowed failures."""

from ckptmatrix.checkpoint.format.names import FileKind
from ckptmatrix.checkpoint.format.numpy_core import NumpyCore
from ckptmatrix.checkpoint.format.random_states import STREAMS, RandomKey
from ckptmatrix.checkpoint.inspect.facts import RandomFact
from ckptmatrix.checkpoint.inspect.simulated_load import (
    RaisedError,
    Reader,
    SimulatedLoad,
    open_file,
)
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import ACCELERATE, NUMPY, CudaKeySaved, RngErrors, StepRead
from ckptmatrix.model import Verdict

_WITH_CUDA = ACCELERATE.first_with(cuda_key_saved=CudaKeySaved.WITH_CUDA)


def random_states(load: SimulatedLoad) -> None:
    """Random states and step of every rank; one rank that loses them is enough."""
    ranks = {fact.rank: fact for fact in load.facts.random}
    worst: RaisedError | None = None
    for rank in range(max(ranks, default=0) + 1):
        try:
            open_file(load, FileKind.RANDOM_STATES.file(rank), weights_only=load.reader.refuses)
        except RaisedError as error:
            worst = _swallowed(load, rank, error)
            break
    known = next(iter(ranks.values()), None)
    if worst is None:
        _restored(load, known)
        return
    if load.reader.release.rng_errors is RngErrors.RAISED:
        raise worst
    for name in STREAMS:
        load.verdicts[name] = Verdict.LOST
    if known is not None and known.cuda:
        load.verdicts[RandomKey.CUDA.component] = Verdict.LOST
    _step(load, known, worst)


def _swallowed(load: SimulatedLoad, rank: int, error: RaisedError) -> RaisedError:
    """The same failure under the name that it has for random states, with what follows from it."""
    release = load.reader.release
    cause, reason = _OF_RANDOM_STATES.get(error.cause, error.cause), error.reason
    if cause is CauseId.PICKLE_REFUSED and any(name.startswith("numpy.") for name in error.refused):
        cause, reason = _numpy_refused(load.reader, error)
    if release.rng_errors is RngErrors.RAISED and cause is CauseId.NUMPY_REFUSED:
        cause = CauseId.LOUD_REFUSAL
    return RaisedError(error.raises, cause, f"Rank {rank}: {reason}" if rank else reason)


_OF_RANDOM_STATES = {
    CauseId.FILE_MISSING: CauseId.RANDOM_STATES_MISSING,
    CauseId.DAMAGED_FILE: CauseId.RANDOM_STATES_DAMAGED,
    CauseId.NUMPY_CORE_MISSING: CauseId.NUMPY_MAJOR,
}
"""What any file can have -> what it is called where random states have it."""


def _numpy_refused(reader: Reader, error: RaisedError) -> tuple[CauseId, str]:
    """Why the weights-only load refuses numpy's array, and the sentence for it."""
    if not reader.release.asks_weights_only:
        return CauseId.NUMPY_REFUSED, error.reason
    if not NUMPY.at(reader.numpy).dtype_classes:
        return CauseId.NUMPY_TOO_OLD, (
            f"numpy {reader.numpy} is older than {NUMPY.first_with(dtype_classes=True)}, so "
            "accelerate cannot allow the dtype of numpy's random state."
        )
    old = any(name.startswith(f"{NumpyCore.NUMPY_1}.") for name in error.refused)
    return CauseId.NUMPY_MAJOR, (
        f"The random states were written under {'numpy < 2' if old else 'numpy 2'}; accelerate "
        f"allows only the spelling of the numpy that runs, {reader.numpy}."
    )


def _restored(load: SimulatedLoad, known: RandomFact | None) -> None:
    """The file could be read; what is missing in it may still stop the load."""
    release = load.reader.release
    if release.step is StepRead.DEMANDED and (known is None or RandomKey.STEP not in known.keys):
        # It is asked for first, so that the generators are not set either.
        since = ACCELERATE.first_with(restores_step=True)
        reason = f"random_states_0.pkl has no step; its writer was older than {since}. {_UNGUARDED}"
        raise RaisedError("KeyError: 'step'", CauseId.MISSING_STEP, reason)
    for name in STREAMS:
        load.verdicts[name] = Verdict.RESTORED
    if release.rng_errors is RngErrors.RAISED and known is not None and known.cuda is None:
        raise RaisedError(
            "KeyError: 'torch_cuda_manual_seed'",
            CauseId.CUDA_KEY,
            f"Releases from {_WITH_CUDA} on write no CUDA entry on the CPU; this one needs it.",
        )
    if known is not None and known.cuda:
        load.verdicts[RandomKey.CUDA.component] = Verdict.RESTORED
    _step(load, known, None)


_UNGUARDED = "This release needs step unguarded."
_WITHOUT_STEP = {
    CauseId.NUMPY_REFUSED: CauseId.REFUSED_STEP,
    CauseId.NUMPY_MAJOR: CauseId.STEP_NUMPY_MAJOR,
    CauseId.PICKLE_REFUSED: CauseId.STEP_PICKLE_REFUSED,
    CauseId.RANDOM_STATES_DAMAGED: CauseId.STEP_RANDOM_STATES_DAMAGED,
    CauseId.RANDOM_STATES_MISSING: CauseId.STEP_RANDOM_STATES_MISSING,
}
"""What was swallowed -> what the missing `step` then comes from."""


def _step(load: SimulatedLoad, known: RandomFact | None, failure: RaisedError | None) -> None:
    """`accelerator.step`, which lies in the file of the random states; then what was swallowed."""
    kind = load.reader.release.step
    saved = known is not None and RandomKey.STEP in known.keys
    if kind is StepRead.DEMANDED and failure is not None:
        cause = _WITHOUT_STEP.get(failure.cause, failure.cause)
        raise RaisedError("KeyError: 'step'", cause, f"{failure.reason} {_UNGUARDED}")
    if failure is not None:
        load.notes.append((failure.cause, f"{failure.reason} Only an INFO line says so."))
    if kind is StepRead.NONE:
        return
    if not saved:
        load.verdicts[RandomKey.STEP.component] = Verdict.UNSAVED
        if failure is None:
            load.notes.append((CauseId.MISSING_STEP, "accelerator.step is not in the checkpoint."))
        return
    ignored = kind is StepRead.UNSAVED
    if (ignored or failure) and known is not None and known.step == 0:
        # What every new process has: nothing is lost, whether it is read or not.
        load.verdicts[RandomKey.STEP.component] = Verdict.NOT_TOLD_APART
        return
    load.verdicts[RandomKey.STEP.component] = (
        Verdict.LOST if ignored or failure else Verdict.RESTORED
    )
    if ignored:
        note = f"accelerate {load.reader.accelerate} does not read accelerator.step."
        load.notes.append((CauseId.STEP_IGNORED, note))
