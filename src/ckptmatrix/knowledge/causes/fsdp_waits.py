"""Processes of FSDP that wait for one that has gone on, or has failed."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Status


def _explains(evidence: Evidence) -> bool:
    return any(
        name.startswith("pytorch_model_fsdp") or name.endswith(".distcp")
        for name in evidence.checkpoint.files
    )


known = KnownCause(
    CauseId.FSDP_WAITS,
    Cause(
        "FSDP's processes wait for one that has gone on, or has failed",
        "A gathered state of FSDP2 is read by the first process and sent to the others. In 1.7.0 "
        "to 1.8.1 they do not take part alike, and the load never returns. In any release it does "
        "not where the first process alone fails, as when the file is not there.",
        "Resume with `ckptmatrix.resume.load_state`, or with a release after 1.8.1; where the "
        "checkpoint is in shards, set SHARDED_STATE_DICT.",
        (
            "https://github.com/huggingface/accelerate/pull/3527",
            "https://github.com/huggingface/accelerate/pull/3671",
        ),
    ),
    _explains,
    15,
    (Status.TIMEOUT,),
)
