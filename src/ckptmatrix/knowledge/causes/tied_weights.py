"""A reader that misses the name of a tied weight that safetensors left out."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.releases import WeightsRead
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.raised("RuntimeError", "Missing key(s)")
        and evidence.reads.weights is WeightsRead.BY_NAME
        and "model" not in evidence.checkpoint.unsaved
        and not evidence.raised("RuntimeError", "Unexpected key(s)")
    )


known = KnownCause(
    CauseId.TIED_WEIGHTS,
    Cause(
        "tied weights: the reader misses the name that safetensors left out",
        "safetensors holds a tensor once, so accelerate 0.25.0 and newer leave all but one name "
        "of a tied weight out of model.safetensors. 0.25.0-0.32.1 then load with a strict "
        "load_state_dict, which misses the others, in their own files too.",
        "Read with accelerate 0.33.0 or newer; or load with ckptmatrix.resume.load_state; or save "
        "with safe_serialization=False.",
        (
            "https://github.com/huggingface/accelerate/issues/2807",
            "https://github.com/huggingface/accelerate/pull/2875",
        ),
    ),
    _explains,
    25,
)
