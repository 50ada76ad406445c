"""One tensor `step` of FSDP1 that every parameter of FSDP2 is given."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    files = evidence.checkpoint.files
    return (
        "pytorch_model_fsdp.bin" in files
        and "optimizer.bin" in files
        and not evidence.named(Verdict.LOST) | evidence.named(Verdict.WRONG)
        and evidence.training_differs_in("loss", "loss@1")
    )


known = KnownCause(
    CauseId.FSDP_SHARED_STEP,
    Cause(
        "parameters share the count of steps that FSDP1 had for all of them",
        "A gathered checkpoint of FSDP1 has one tensor `step` for all parameters of a flat one. "
        "Loaded under FSDP2 each parameter is given that very tensor and counts on in it, so that "
        "Adam's bias correction runs ahead. Every value is equal right after the load.",
        "Resume with `ckptmatrix.resume.load_state`, which gives each parameter a count of its "
        "own; docs/sharded.md has a script that shows it.",
        ("https://github.com/pytorch/pytorch/pull/96260",),
    ),
    _explains,
    17,
)
