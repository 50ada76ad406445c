"""A gradient scaler under FSDP2 that counts the step by which the optimizer's state is made."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict

_COUNTED = ("_growth_tracker", "scale")


def _explains(evidence: Evidence) -> bool:
    files, where = evidence.checkpoint.files, evidence.record.differences.get("scaler")
    return (
        any(file.startswith("pytorch_model_fsdp") for file in files)
        and "scaler.pt" in files
        and evidence.named(Verdict.LOST) | evidence.named(Verdict.WRONG) == {"scaler"}
        and where is not None
        and where.where in _COUNTED
    )


known = KnownCause(
    CauseId.FSDP_SCALER_COUNTS,
    Cause(
        "the gradient scaler counts the load as a step",
        "Under FSDP2 load_state restores the gradient scaler first, and torch makes the "
        "optimizer's state by a step of the optimizer, which accelerate's wrapper takes by the "
        "scaler. So the growth tracker is one more than was saved, and the scale doubles one step "
        "early, or at the load itself.",
        "Resume with `ckptmatrix.resume.load_state`, or load `scaler.pt` into `accelerator.scaler` "
        "once more after `load_state`.",
        ("https://github.com/huggingface/accelerate/issues/4289",),
    ),
    _explains,
    17,
)
