"""A reader that demands `step` from a checkpoint that was written before it was saved."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("KeyError", "'step'") and "step" in evidence.checkpoint.unsaved


known = KnownCause(
    CauseId.MISSING_STEP,
    Cause(
        "KeyError: 'step': the checkpoint is older than accelerate 0.32",
        "accelerate saves `step` since 0.32.0 (in random_states_N.pkl). 0.32.0-0.33.0 read it from "
        "every checkpoint without asking whether it is there.",
        "Read with accelerate 0.34.0 or newer, or put `step` in with `ckptmatrix repair --step N`.",
        (
            "https://github.com/huggingface/accelerate/issues/2924",
            "https://github.com/huggingface/accelerate/pull/2992",
        ),
    ),
    _explains,
    20,
)
