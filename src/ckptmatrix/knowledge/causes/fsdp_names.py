"""Weights of FSDP under the name of before 0.25, or of after."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    if evidence.reads.names_fsdp_weights == _named_new(evidence):
        return False
    shards = any(name.endswith(".distcp") for name in evidence.checkpoint.files)
    return (shards and evidence.raised("CheckpointException")) or (
        evidence.raised("FileNotFoundError", "pytorch_model")
        and (_named_new(evidence) or evidence.raised("FileNotFoundError", "pytorch_model_fsdp"))
    )


def _named_new(evidence: Evidence) -> bool:
    """Whether the checkpoint's weights are called as from 0.25.0 on."""
    return any(name.startswith("pytorch_model_fsdp") for name in evidence.checkpoint.files)


known = KnownCause(
    CauseId.FSDP_NAMES,
    Cause(
        "FSDP's weights have another name on the other side of 0.25.0",
        "Up to 0.24.1 accelerate calls them `pytorch_model.bin` or `pytorch_model_0`, from 0.25.0 "
        "on `pytorch_model_fsdp.bin` or `pytorch_model_fsdp_0`, and looks for the one name only.",
        "Rename the file or folder, in a copy of the checkpoint, to the name that is looked for.",
        ("https://github.com/huggingface/accelerate/pull/2177",),
    ),
    _explains,
    16,
)
