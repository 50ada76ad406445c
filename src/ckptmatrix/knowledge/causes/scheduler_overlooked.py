"""A scheduler that neither side recognises, so training goes on at another learning rate."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.record.error is None
        and bool({"scheduler"} & (evidence.named(Verdict.UNSAVED) | evidence.named(Verdict.LOST)))
        and not evidence.swallowed("UnpicklingError")
    )


known = KnownCause(
    CauseId.SCHEDULER_OVERLOOKED,
    Cause(
        "the scheduler is overlooked: it starts again from its first step",
        "On torch 2 and newer, accelerate up to 0.14.0 and 0.16.0 do not recognise torch's "
        "schedulers, so they neither save nor load them, without a word.",
        "Use accelerate 0.15.0, or 0.17.1 and newer; or register the scheduler with "
        "register_for_checkpointing.",
        (),
    ),
    _explains,
)
