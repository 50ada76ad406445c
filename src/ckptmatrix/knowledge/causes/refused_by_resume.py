"""`ckptmatrix.resume.load_state` says that something cannot be had back."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.model import Cause

known = KnownCause(
    CauseId.REFUSED_BY_RESUME,
    Cause(
        "ckptmatrix.resume refuses what it cannot restore whole",
        "A part of the training state is not in the checkpoint, or does not fit the script. The "
        "error names each one with its file; with accelerate's own loader training would go on "
        "without it, or end with the first.",
        "Put right what the error names; or, if it can be done without, load with strict=False "
        "and look at the report.",
        (),
    ),
    lambda evidence: evidence.raised("ResumeError"),
    15,
)
