"""`assign` that takes the parameters away from under the optimizer."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    return (
        evidence.record.scenario == "assign"
        and evidence.record.loader != "ckptmatrix"  # which leaves assign out
        and evidence.record.error is None
        and evidence.named(Verdict.LOST) <= {"step"}
        and not evidence.named(Verdict.WRONG)
    )


known = KnownCause(
    CauseId.ASSIGN_DETACHED,
    Cause(
        "load_state(assign=True): the optimizer steps parameters that the model no longer has",
        "With assign the model takes the file's tensors as its parameters. The optimizer still "
        "holds the ones it was made with, so every step changes those and the model stands still.",
        "Leave assign out; or make the optimizer after the load.",
        (),
    ),
    _explains,
    45,
)
