"""A save between two optimizer steps, whose accumulated gradients are in no file."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    return (
        "gradients" in evidence.named(Verdict.UNSAVED)
        and not evidence.named(Verdict.LOST)
        and not evidence.named(Verdict.WRONG)
    )


known = KnownCause(
    CauseId.GRADIENTS_UNSAVED,
    Cause(
        "saved amid gradient accumulation: the gradients are not in the checkpoint",
        "No release saves accumulated gradients. After a resume the next optimizer step is made "
        "from the micro-batches that follow alone; and where `step` was not saved either (before "
        "0.32.0), it is made at another micro-batch.",
        "Save right after an optimizer step (when accelerator.sync_gradients is true).",
        (),
    ),
    _explains,
    58,
)
