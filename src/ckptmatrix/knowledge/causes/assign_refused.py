"""`assign` that reaches a function which does not know it."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("TypeError", "argument 'assign'")


known = KnownCause(
    CauseId.ASSIGN_REFUSED,
    Cause(
        "load_state(assign=True) is refused for safetensors",
        "accelerate 0.33.0 and newer hand further arguments on to safetensors.torch.load_model, "
        "which knows `strict` alone.",
        "Leave assign out.",
        ("https://github.com/huggingface/accelerate/pull/2875",),
    ),
    _explains,
    20,
)
