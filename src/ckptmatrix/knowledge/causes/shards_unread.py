"""Shards in safetensors, and a reader that unpickles whatever an index names."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("UnpicklingError", "invalid load key") and any(
        name.endswith(".safetensors") for name in evidence.checkpoint.files
    )


known = KnownCause(
    CauseId.SHARDS_UNREAD,
    Cause(
        "the reader unpickles what is safetensors",
        "load_checkpoint_in_model of old releases (0.15.0 among them) takes every file that the "
        "index names for a torch file. save_model writes safetensors by default since 0.23.0.",
        "Save with save_model(..., safe_serialization=False) as long as an older release may have "
        "to read it.",
        (),
    ),
    _explains,
    25,
)
