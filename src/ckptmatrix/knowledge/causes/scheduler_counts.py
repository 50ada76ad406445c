"""A scheduler stepped with every micro-batch, read by a release that steps it less often."""

from packaging.version import Version

from ckptmatrix.knowledge.causes import Evidence, KnownCause
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    difference = evidence.record.differences.get("scheduler")
    return (
        "scheduler" in evidence.named(Verdict.WRONG)
        and difference is not None
        and (difference.where == "updates" or _on_both_sides(evidence))
    )


def _on_both_sides(evidence: Evidence) -> bool:
    """Whether one end steps with every micro-batch and the other with every optimizer step."""
    ends = (evidence.writer.accelerate, evidence.reader.accelerate)
    older = [Version(release) < Version("0.16.0") for release in ends]
    return older[0] != older[1] and evidence.record.scenario.startswith("accumulation")


known = KnownCause(
    Cause(
        "under accumulation the scheduler's count means something else",
        "accelerate up to 0.15.0 steps a prepared scheduler with every micro-batch, newer releases "
        "with every optimizer step. The count is restored as it is, so with gradient accumulation "
        "the learning rate jumps ahead, or back, in the other release.",
        "Set the scheduler's last_epoch after load_state: divide it by gradient_accumulation_steps "
        "(multiply, on the way back).",
        (),
    ),
    _explains,
    38,
)
