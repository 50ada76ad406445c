"""A scheduler stepped with every micro-batch, read by a release that steps it less often."""

from ckptmatrix.knowledge.causes import CauseId, KnownCause
from ckptmatrix.knowledge.evidence import Evidence
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    difference = evidence.record.differences.get("scheduler")
    counted_alike = difference is None or difference.where != "updates"
    if counted_alike and not _on_both_sides(evidence):
        return False
    return "scheduler" in evidence.named(Verdict.WRONG) or _goes_its_own_way(evidence)


def _goes_its_own_way(evidence: Evidence) -> bool:
    """Whether the count was translated and came back, and the next rate is another all the same."""
    return (
        evidence.training_differs_in("lr")
        and "scheduler" in evidence.named(Verdict.RESTORED)
        and "gradients" not in evidence.named(Verdict.UNSAVED)
    )


def _on_both_sides(evidence: Evidence) -> bool:
    """Whether one end steps with every micro-batch and the other with every optimizer step."""
    writes = evidence.writes
    return (
        writes is not None
        and writes.scheduler_counts is not evidence.reads.scheduler_counts
        and evidence.record.scenario.startswith("accumulation")
    )


known = KnownCause(
    CauseId.SCHEDULER_COUNTS,
    Cause(
        "under accumulation the scheduler's count means something else",
        "accelerate up to 0.15.0 steps a prepared scheduler with every micro-batch, newer releases "
        "with every optimizer step. The count is restored as it is, so with gradient accumulation "
        "the learning rate jumps ahead, or back, in the other release. ckptmatrix.resume "
        "translates the count, so that the schedule stands where the other release would have it; "
        "its rates are still not the writer's.",
        "Set the scheduler's last_epoch after load_state: divide it by gradient_accumulation_steps "
        "(multiply, on the way back).",
        (),
    ),
    _explains,
    38,
)
