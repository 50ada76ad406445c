"""The counter that names checkpoints is not restored."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause


def _explains(evidence: Evidence) -> bool:
    return evidence.training_differs_in("checkpoints", "saved") and (
        "naming" in evidence.checkpoint.unsaved
    )


known = KnownCause(
    CauseId.COUNTER_OF_SAVES,
    Cause(
        "automatic naming counts from 0 again: wrong checkpoints are deleted, then a name is taken",
        "The counter behind checkpoint_N (ProjectConfiguration.iteration) is in no file and "
        "load_state does not set it. After a resume, saves are named 0, 1, 2 again; with "
        "total_limit the one with the lowest number is deleted, which is then the newest; and a "
        "name that is taken raises ValueError.",
        "Set accelerator.project_configuration.iteration to one more than the number of the "
        "checkpoint after load_state; ckptmatrix.resume.load_state does.",
        (),
    ),
    _explains,
    45,
)
