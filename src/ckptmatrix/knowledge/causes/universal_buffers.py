"""Buffers, which DeepSpeed does not load from its universal form."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Status, Verdict


def _explains(evidence: Evidence) -> bool:
    universal = "pytorch_model/zero/optimizer_state.pt" in evidence.checkpoint.files
    model = evidence.record.components.get("model")
    where = evidence.record.differences.get("model")
    return (
        universal
        and model is Verdict.WRONG
        and where is not None
        and where.where.startswith("0/weights/")
    )


known = KnownCause(
    CauseId.UNIVERSAL_BUFFERS,
    Cause(
        "DeepSpeed loads no buffers from its universal form",
        "With checkpoint.load_universal DeepSpeed leaves the model's own state dict out and loads "
        "each parameter from its folder under zero/. Buffers (the running statistics of batch "
        "norm, say) are in mp_rank_00_model_states.pt and stay as the script made them. No report "
        "of it was found.",
        "Load the buffers yourself, from the entry module of mp_rank_00_model_states.pt, after "
        "load_state. ckptmatrix.resume.load_state refuses.",
        (
            "https://github.com/deepspeedai/DeepSpeed/blob/v0.15.4/deepspeed/runtime/engine.py",
            "https://github.com/deepspeedai/DeepSpeed/issues/2921",
        ),
    ),
    _explains,
    17,
    (Status.DEGRADED,),
)
