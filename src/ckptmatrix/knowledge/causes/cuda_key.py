"""A reader that demands the CUDA random states of a checkpoint that was written on a CPU."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("KeyError", "torch_cuda_manual_seed")


known = KnownCause(
    CauseId.CUDA_KEY,
    Cause(
        "the reader demands CUDA random states, the checkpoint has none",
        "accelerate 1.5.0 and newer save `torch_cuda_manual_seed` only where CUDA is available; "
        "readers up to 0.13.2 take it for granted.",
        "`ckptmatrix repair` adds an empty list under that name.",
        ("https://github.com/huggingface/accelerate/issues/3960",),
    ),
    _explains,
)
