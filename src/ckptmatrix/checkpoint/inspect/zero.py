"""The imagined load of DeepSpeed's training, whose engine reads weights and optimizer itself."""

from ckptmatrix.checkpoint.format.names import FileKind
from ckptmatrix.checkpoint.format.random_states import RandomKey
from ckptmatrix.checkpoint.inspect.simulated_load import NotPredictedError, SimulatedLoad
from ckptmatrix.knowledge.releases import ACCELERATE, TORCH, FullySharded
from ckptmatrix.model import Verdict


def models(load: SimulatedLoad) -> None:
    """The weights, which the engine reads together with the optimizer."""
    if load.reader.release.deepspeed is FullySharded.NOT_MEASURED or not load.reader.newest_fsdp:
        since = ACCELERATE.first_with(deepspeed=FullySharded.RESTORED)
        on = TORCH.first_with(newest_fsdp=1)
        raise NotPredictedError(
            f"DeepSpeed has been measured from accelerate {since} and torch {on} on."
        )
    for file in load.facts.files:
        if "/" in file.name and file.problem:
            raise NotPredictedError(f"{file.name} {file.problem}.")
    if any("/zero/" in file.name for file in load.facts.files):
        raise NotPredictedError(
            "it is in DeepSpeed's universal form, which is read where the configuration says "
            "load_universal; buffers are lost then (docs/sharded.md)."
        )
    saved = any(RandomKey.STEP in fact.keys for fact in load.facts.random)
    if load.facts.file(FileKind.SCHEDULER.file()) is None and not saved:
        raise NotPredictedError(
            "its writer left the schedule to DeepSpeed, and whether there was one no file of "
            "accelerate's says; this release looks for scheduler.bin."
        )
    load.verdicts["model"] = Verdict.RESTORED


def optimizers(load: SimulatedLoad) -> None:
    """The optimizer's state, each process's own part."""
    load.verdicts["optimizer"] = Verdict.RESTORED
