"""Shards that lack something the optimizer of today has in its groups."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause

_MISSING = "Missing key in checkpoint state_dict: optimizer.param_groups."


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("CheckpointException", _MISSING)


known = KnownCause(
    CauseId.OPTIMIZER_KEYS_MISSING,
    Cause(
        "the optimizer's shards lack a key that newer torch has in its groups",
        "accelerate has torch fill in the optimizer's state dict from the shards, and torch raises "
        "for each key that is not in them. Adam of newer torch has `decoupled_weight_decay` in its "
        "groups, which torch 2.4 did not.",
        "Resume with `ckptmatrix.resume.load_state`, which leaves such keys as they are.",
        ("https://github.com/pytorch/pytorch/issues/146157",),
    ),
    _explains,
    14,
)
