"""torch refuses a file's globals, and nothing catches it."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("UnpicklingError", "weights_only")


known = KnownCause(
    CauseId.LOUD_REFUSAL,
    Cause(
        "torch refuses to unpickle a file of the checkpoint",
        "torch 2.6 and newer unpickle with weights_only=True unless asked otherwise, and "
        "accelerate 1.1.0 and newer ask for it on torch 2.4 and newer. What is not on the allow "
        "list (numpy arrays, numpy numbers, classes of one's own) is refused.",
        "Load with ckptmatrix.resume.load_state; or allow the named globals with "
        "torch.serialization.add_safe_globals before load_state.",
        (
            "https://github.com/pytorch/pytorch/pull/137602",
            "https://github.com/huggingface/accelerate/pull/3540",
        ),
    ),
    _explains,
    28,  # what was raised tells more than what was swallowed before it
)
