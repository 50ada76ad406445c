"""Another number of registered objects than the checkpoint has."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.knowledge.releases import CustomCount
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    refused = evidence.raised("RuntimeError", "Number of custom checkpoints")
    warned = evidence.reads.custom_count is CustomCount.WARNING
    ignored = warned and "custom" in evidence.named(Verdict.LOST)
    return refused or (ignored and evidence.record.error is None)


known = KnownCause(
    CauseId.CUSTOM_COUNT,
    Cause(
        "the script registers another number of objects than the checkpoint has",
        "accelerate loads registered objects by their number alone. Up to 0.20.3 it warns and "
        "loads none of them; from 0.21.0 on it raises, after everything else was loaded.",
        "Register the same objects in the same order; or load with ckptmatrix.resume.load_state, "
        "which loads what is there and names what is not.",
        (),
    ),
    _explains,
    26,
)
