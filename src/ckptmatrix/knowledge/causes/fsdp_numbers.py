"""FSDP2's optimizer, saved by numbers of parameters and looked for by their names."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause

_MISSING = "Missing key in checkpoint state_dict: optimizer.state."


def _explains(evidence: Evidence) -> bool:
    error = evidence.record.error
    sharded = any(name.endswith(".distcp") for name in evidence.checkpoint.files)
    number_unknown = error is not None and (error.type, error.message) == ("KeyError", "0")
    return evidence.raised("CheckpointException", _MISSING) or (sharded and number_unknown)


known = KnownCause(
    CauseId.FSDP_NUMBERS,
    Cause(
        "FSDP2's optimizer was saved by numbers of parameters, and is looked for by names",
        "accelerate 1.6.0 saved the optimizer's own state dict, which goes by numbers; 1.13.0 and "
        "newer look in the shards for names, and raise, as FSDP1 does (`KeyError: 0`). What lies "
        "between reads nothing of the optimizer's shards and says nothing.",
        "Nothing brings this optimizer back, not even 1.6.0; `resume.load_state` refuses. "
        "Let it start anew, knowingly, and save with 1.13.0 or newer from then on.",
        ("https://github.com/huggingface/accelerate/issues/3971",),
    ),
    _explains,
    14,
)
