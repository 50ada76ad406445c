"""A reader with a gradient scaler, and a checkpoint without one."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.raised("FileNotFoundError", "scaler.pt")


known = KnownCause(
    CauseId.SCALER_NOT_SAVED,
    Cause(
        "there is no scaler.pt: the checkpoint was saved without fp16",
        "With mixed_precision='fp16' load_state reads scaler.pt without asking whether it is "
        "there. A run that was saved in another precision has none.",
        "Save a fresh scaler there (torch.save(accelerator.scaler.state_dict(), 'scaler.pt')), or "
        "resume in the old precision.",
        (),
    ),
    _explains,
    25,
)
