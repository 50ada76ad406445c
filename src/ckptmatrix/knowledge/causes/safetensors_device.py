"""accelerate names the device to a safetensors that knows no such argument."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("TypeError", "load_model() got an unexpected keyword argument 'device'")


known = KnownCause(
    CauseId.SAFETENSORS_DEVICE,
    Cause(
        "safetensors before 0.4.3 has no load_model(device=...)",
        "accelerate 0.33.0 hands the device to safetensors.torch.load_model, which takes it since "
        "0.4.3, and does not ask for that version; accelerate 0.34.0 and newer do.",
        "Upgrade safetensors to 0.4.3 or newer.",
        (
            "https://github.com/huggingface/accelerate/issues/2939",
            "https://github.com/huggingface/accelerate/pull/2957",
            "https://github.com/huggingface/safetensors/pull/449",
        ),
    ),
    _explains,
    20,
)
