"""A reader that refuses a tensor which covers its storage only in part."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("RuntimeError", "None is covering the entire storage")


known = KnownCause(
    CauseId.PARTIAL_VIEW,
    Cause(
        "the reader's model has a tensor that is a part of a larger storage",
        "accelerate 0.33.0 and newer load safetensors through safetensors.torch.load_model, which "
        "looks for a tensor that covers the whole storage and refuses when there is none. The "
        "file is whole.",
        "Clone the tensor when the model is built (self.register_buffer(name, view.clone())), in "
        "the script that reads; or load with ckptmatrix.resume.load_state.",
        ("https://github.com/huggingface/accelerate/pull/2875",),
    ),
    _explains,
    24,
)
