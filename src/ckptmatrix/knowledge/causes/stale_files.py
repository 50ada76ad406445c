"""Weights of two saves in one directory, and the older ones come back."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    names = evidence.checkpoint.files
    both = "model.safetensors" in names and "pytorch_model.bin" in names
    return both and "model" in evidence.named(Verdict.WRONG)


known = KnownCause(
    CauseId.STALE_FILES,
    Cause(
        "the older weights come back: the directory has both formats",
        "save_state takes nothing away. Saved into one directory first in one format and then in "
        "the other, both files are there; accelerate 0.25.0 and newer take model.safetensors, "
        "older ones pytorch_model.bin, whichever is newer.",
        "Save into a fresh directory each time, or remove the weights file of the other format "
        "first.",
        (),
    ),
    _explains,
    24,
)
