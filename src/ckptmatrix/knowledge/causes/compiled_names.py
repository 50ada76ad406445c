"""Weights that were saved under the names of a compiled model, or are asked for under them."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("RuntimeError", "_orig_mod.")


known = KnownCause(
    CauseId.COMPILED_NAMES,
    Cause(
        "torch.compile on one side only: every name begins with _orig_mod. there",
        "A model that the script itself wrapped in torch.compile before prepare has _orig_mod. "
        "before each of its names, and accelerate saves and asks for them like that. What "
        "accelerate compiles (dynamo_backend, dynamo_plugin) keeps the plain names.",
        "Let accelerate compile, or compile after load_state; or load with "
        "ckptmatrix.resume.load_state, which takes the names either way.",
        (),
    ),
    _explains,
    24,
)
