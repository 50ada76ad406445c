"""DeepSpeed's partitions of another number of processes."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Status


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("ZeRORuntimeException", "DP world size")


known = KnownCause(
    CauseId.ENGINE_PROCESSES,
    Cause(
        "DeepSpeed's partitions are of another number of processes",
        "Each process saves its own part of the optimizer and of the fp32 weights. DeepSpeed loads "
        "them into as many processes alone, elastic_checkpoint or not; by then it has loaded the "
        "model's weights.",
        "Resume with as many processes, or convert each pytorch_model folder with "
        "deepspeed/checkpoint/ds_to_universal.py --inject_missing_state and set "
        "checkpoint.load_universal in DeepSpeed's configuration.",
        (
            "https://github.com/deepspeedai/DeepSpeed/issues/2898",
            "https://github.com/deepspeedai/DeepSpeed/issues/2921",
            "https://github.com/deepspeedai/DeepSpeed/issues/5430",
            "https://github.com/deepspeedai/DeepSpeed/pull/5608",
        ),
    ),
    _explains,
    17,
    (Status.FAILED,),
)
