"""Shards of an optimizer that are read into one that has no state yet."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Status, Verdict


def _explains(evidence: Evidence) -> bool:
    sharded = any(name.startswith("optimizer_0/") for name in evidence.checkpoint.files)
    missing = evidence.record.differences.get("optimizer")
    return (
        sharded
        and evidence.record.status == Status.DEGRADED
        and "optimizer" in evidence.named(Verdict.WRONG) | evidence.named(Verdict.LOST)
        and missing is not None
        and missing.found == "nothing"
    )


known = KnownCause(
    CauseId.OPTIMIZER_SHARDS_UNREAD,
    Cause(
        "the optimizer's shards are read into an optimizer without state, so nothing is read",
        "With SHARDED_STATE_DICT, accelerate asks the optimizer for its state dict and has torch "
        "fill that in from the shards. Before its first step an optimizer has none, so there is "
        "nothing to fill in: moments and step counts stay in the files, and nothing is said. So it "
        "is for FSDP1 from 1.7.0 on, and for FSDP2 from 1.6.0 to 1.12.0.",
        "Resume with `ckptmatrix.resume.load_state`, which has torch make the state first; or save "
        "with FULL_STATE_DICT, which FSDP1 restores.",
        (
            "https://github.com/huggingface/accelerate/pull/3527",
            "https://github.com/huggingface/accelerate/issues/3896",
            "https://github.com/huggingface/accelerate/issues/3971",
        ),
    ),
    _explains,
    15,
)
