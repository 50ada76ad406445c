"""The imagined load of DeepSpeed's training, whose engine reads weights and optimizer itself.

A schedule of torch's is kept by accelerate in scheduler.bin or, by the releases that hand it over,
by DeepSpeed in its own file; `knowledge.releases` says which do so.
"""

from ckptmatrix.checkpoint.format.names import FileKind
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.inspect.facts import Facts
from ckptmatrix.checkpoint.inspect.simulated_load import (
    NotPredictedError,
    RaisedError,
    SimulatedLoad,
)
from ckptmatrix.knowledge.causes import CauseId
from ckptmatrix.knowledge.releases import ACCELERATE, TORCH, FullySharded
from ckptmatrix.model import Verdict

_SCHEDULER = FileKind.SCHEDULER.file()
_LAST_STAGE = 3
"""The stage of ZeRO that was not measured with as many releases as the others."""


def models(load: SimulatedLoad) -> None:
    """The weights, which the engine reads first."""
    facts, reader = load.facts, load.reader
    if not _measured(load):
        since, last = (
            ACCELERATE.first_with(**{setting: FullySharded.RESTORED})
            for setting in ("deepspeed", "zero_3")
        )
        on = TORCH.first_with(newest_fsdp=1)
        raise NotPredictedError(
            f"DeepSpeed has been measured from accelerate {since} (ZeRO-3: {last}) and torch {on} "
            "on."
        )
    for file in facts.files:
        if "/" in file.name and file.problem:
            raise NotPredictedError(f"{file.name} {file.problem}.")
    if any("/zero/" in file.name for file in facts.files):
        raise NotPredictedError(
            "it is in DeepSpeed's universal form, which is read where the configuration says "
            "load_universal; buffers are lost then (docs/sharded.md)."
        )
    if not keeps_schedule(facts) and reader.release.engine_schedules and facts.file(_SCHEDULER):
        load.verdicts["model"] = Verdict.WRONG  # half of it: its fp32 masters are the optimizer's
        raise RaisedError(
            "TypeError: 'NoneType' object is not iterable",
            CauseId.ENGINE_SCHEDULE,
            f"The schedule is in {_SCHEDULER}; accelerate {reader.accelerate} leaves it to "
            f"DeepSpeed ({_HANDING.words} do), in whose file it is None. The weights are loaded "
            "by then, the optimizer is not.",
        )
    load.verdicts["model"] = Verdict.RESTORED


def optimizers(load: SimulatedLoad) -> None:
    """The optimizer's state, each process's own part, and what the engine counts itself."""
    load.verdicts["optimizer"] = Verdict.RESTORED
    load.verdicts["engine"] = Verdict.RESTORED


def schedulers(load: SimulatedLoad) -> None:
    """The schedule that DeepSpeed kept: by then it is restored, or looked for elsewhere."""
    if load.reader.release.engine_schedules:
        load.verdicts["scheduler"] = Verdict.RESTORED
        return
    load.verdicts["scheduler"] = Verdict.LOST
    raise RaisedError(
        f"FileNotFoundError: [Errno 2] No such file or directory: '.../{_SCHEDULER}'",
        CauseId.ENGINE_SCHEDULE,
        f"The schedule is in DeepSpeed's own file, where accelerate {_HANDING.words} leave it "
        f"(unless the script itself does, by lr_scheduler_callable); accelerate "
        f"{load.reader.accelerate} looks for {_SCHEDULER}. Weights and optimizer are loaded by "
        "then.",
    )


_HANDING = ACCELERATE.span_of(engine_schedules=True)
"""The releases that hand every schedule of torch's to DeepSpeed."""


def _measured(load: SimulatedLoad) -> bool:
    """Whether such a load has been measured; a stage that no file tells can be any."""
    release = load.reader.release
    stages = {fact.stage for fact in load.facts.zero} or {1, _LAST_STAGE}
    made = {release.zero_3 if stage == _LAST_STAGE else release.deepspeed for stage in stages}
    return FullySharded.NOT_MEASURED not in made and bool(load.reader.newest_fsdp)


def keeps_schedule(facts: Facts) -> bool:
    """Whether DeepSpeed kept the state of a schedule that a release of accelerate handed to it.

    Raises:
        NotPredictedError: the files leave open who kept it, or it was not measured.
    """
    by_accelerate = facts.file(_SCHEDULER) is not None
    kept = [fact.schedule for fact in facts.engines if fact.schedule is not None]
    # Releases that save a step hand no schedule over.
    newer = any(RandomKey.STEP in fact.keys for fact in facts.random)
    if not facts.engines:
        raise NotPredictedError("whether DeepSpeed kept a schedule none of its files says.")
    if kept and by_accelerate:
        raise NotPredictedError(
            f"a schedule is in {_SCHEDULER} and in DeepSpeed's own file; which one the script uses "
            "no file says."
        )
    if kept and (newer or not all("last_epoch" in keys for keys in kept)):
        raise NotPredictedError(
            "the script itself leaves its schedule to DeepSpeed, which has not been measured."
        )
    if kept and _LAST_STAGE in {fact.stage for fact in facts.zero}:
        raise NotPredictedError(
            "its writer left the schedule to DeepSpeed, which has not been measured of ZeRO-3."
        )
    if not by_accelerate and not kept and not newer and any(f.scheduled for f in facts.zero):
        raise NotPredictedError(
            "there was a scheduler (the optimizer keeps its initial_lr), whose state neither "
            "accelerate nor DeepSpeed kept."
        )
    return bool(kept)
