"""A reader from before safetensors became the default format of the weights."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("FileNotFoundError", "pytorch_model") and any(
        name.endswith(".safetensors") for name in evidence.checkpoint.files
    )


known = KnownCause(
    CauseId.SAFETENSORS_UNKNOWN,
    Cause(
        "the reader looks only for pytorch_model.bin",
        "accelerate writes model.safetensors by default since 0.25.0; older readers look for "
        "pytorch_model.bin alone.",
        "Save with save_state(..., safe_serialization=False) as long as an older release may have "
        "to read it, or convert with `ckptmatrix repair --weights both`.",
        ("https://github.com/huggingface/accelerate/pull/2120",),
    ),
    _explains,
)
