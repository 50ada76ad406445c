"""A save that dropped tensors because they share memory with others."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    dropped = "model" in evidence.checkpoint.unsaved
    return dropped and any(
        evidence.raised("RuntimeError", text) for text in ("Missing key(s)", "entire storage")
    )


known = KnownCause(
    CauseId.TENSORS_DROPPED,
    Cause(
        "the save dropped tensors that share memory: they are not in the checkpoint",
        "accelerate 0.25.0 and newer keep one of the tensors that lie in one storage and drop the "
        "others at the save, with a warning. That is right for tied weights only: views of "
        "different parts of one storage are lost for good, and buffers without elements look "
        "shared as well.",
        "The values are in no file. Clone such tensors into memory of their own before training "
        "(parameter.data = parameter.data.clone()), or save with safe_serialization=False.",
        ("https://github.com/huggingface/accelerate/pull/2136",),
    ),
    _explains,
    22,
)
