"""A reader from before accelerate saved and restored `step`."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.record.error is None
        and evidence.named(Verdict.LOST) == {"step"}
        and not evidence.named(Verdict.WRONG)
        and not evidence.reads.restores_step
        # `step` decides when gradients are applied, never which samples come.
        and not evidence.training_differs_in("samples")
    )


known = KnownCause(
    CauseId.STEP_IGNORED,
    Cause(
        "the reader does not restore `step`",
        "accelerate restores `step` (the count of micro-batches, which decides when accumulated "
        "gradients are applied) since 0.32.0. Older readers leave it where it was, without a word.",
        "Set accelerator.step yourself after load_state, or read with a newer release.",
        ("https://github.com/huggingface/accelerate/pull/2765",),
    ),
    _explains,
)
