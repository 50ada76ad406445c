"""FSDP's state saved gathered and looked for in shards, or the reverse."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    files = evidence.checkpoint.files
    if any(name.endswith(".distcp") for name in files):
        return evidence.raised("FileNotFoundError", "pytorch_model")
    gathered = any(name.startswith("pytorch_model") for name in files)
    return gathered and evidence.raised("CheckpointException", "metadata")


known = KnownCause(
    CauseId.FSDP_KIND,
    Cause(
        "FSDP's state is gathered and looked for in shards, or the reverse",
        "FULL_STATE_DICT is one file for model and optimizer each, SHARDED_STATE_DICT a folder of "
        "shards. accelerate looks for the kind that is set now, and never for the other one.",
        "Set fsdp_state_dict_type for the load as it was at the save, "
        "with accelerator.state.fsdp_plugin.set_state_dict_type; then save anew in the other kind.",
        (
            "https://github.com/huggingface/accelerate/blob/v1.15.0/src/accelerate/utils/"
            "fsdp_utils.py",
        ),
    ),
    _explains,
    17,
)
