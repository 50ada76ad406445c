"""A schedule that DeepSpeed kept on one side, and accelerate on the other."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Status

_ENGINE_FILES = ("_optim_states.pt", "zero/optimizer_state.pt")
"""One or the other is in each checkpoint of an engine: as it is saved, or in its universal form."""


def _explains(evidence: Evidence) -> bool:
    files = evidence.checkpoint.files
    if not any(name.endswith(_ENGINE_FILES) for name in files):
        return False
    if evidence.reads.engine_schedules:
        return "scheduler.bin" in files and evidence.raised("TypeError", "'NoneType' object")
    handed = evidence.writes is not None and evidence.writes.engine_schedules
    return handed and evidence.raised("FileNotFoundError", "scheduler.bin")


known = KnownCause(
    CauseId.ENGINE_SCHEDULE,
    Cause(
        "the schedule is DeepSpeed's on one side and accelerate's on the other",
        "From 0.23.0 to 0.25.0 accelerate hands every scheduler of torch's to DeepSpeed, which "
        "keeps its state as `lr_scheduler` in mp_rank_00_model_states.pt (ZeRO-3: in each "
        "zero_pp_rank_N_mp_rank_00_model_states.pt). Before and since accelerate saves it itself, "
        "in scheduler.bin, and DeepSpeed's entry is None. The one kind of reader ends in TypeError "
        "with the weights loaded and the optimizer not; the other misses scheduler.bin once "
        "weights and optimizer are loaded.",
        "Resume with a release of the writer's kind. Across: accelerator.load_state(directory, "
        "load_lr_scheduler_states=False) in 0.23.0 to 0.25.0; in others give torch.load's "
        "`lr_scheduler` of DeepSpeed's file as scheduler.bin. Set the schedule's place by hand: "
        "DeepSpeed counts one for a step, accelerate one for each process.",
        (
            "https://github.com/huggingface/accelerate/pull/1909",
            "https://github.com/huggingface/accelerate/pull/2304",
        ),
    ),
    _explains,
    17,
    (Status.FAILED,),
)
