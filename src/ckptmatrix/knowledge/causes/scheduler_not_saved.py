"""A writer that overlooked the scheduler, and a reader that asks for its file."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("FileNotFoundError", "scheduler.bin") and (
        "scheduler" in evidence.checkpoint.unsaved
    )


known = KnownCause(
    CauseId.SCHEDULER_NOT_SAVED,
    Cause(
        "the writer overlooked the scheduler: there is no scheduler.bin",
        "On torch 2 and newer, accelerate up to 0.14.0 and 0.16.0 do not recognise torch's "
        "schedulers, prepare them as plain objects and save nothing of them, without a word. "
        "Readers that do recognise them ask for scheduler.bin once model and optimizer are loaded.",
        "`ckptmatrix repair` writes a scheduler.bin from the learning rates in optimizer.bin where "
        "that is enough, and refuses with the reason where it is not. Save again with a release "
        "that knows the scheduler (0.15.0, or 0.17.1 and newer).",
        (),
    ),
    _explains,
)
