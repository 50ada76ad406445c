"""Shards that are described as an older torch does not understand."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("CheckpointException", "too many values to unpack")


known = KnownCause(
    CauseId.SHARDS_NEWER_TORCH,
    Cause(
        "the shards are described by a newer torch, which the older one cannot read",
        "`.metadata` pickles what torch knows of each tensor. torch 2.15 puts a sixth value there, "
        "the strides; 2.14.0 and older take five, and raise. torch 2.15 reads the older ones.",
        "Load with the torch that saved or a newer one. To go back, load there first and save with "
        "FULL_STATE_DICT, which is no shards.",
        ("https://github.com/pytorch/pytorch/pull/194251",),
    ),
    _explains,
    14,
)
