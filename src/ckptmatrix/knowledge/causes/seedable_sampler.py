"""The seedable sampler's epoch is never saved, so the order of the samples differs."""

from ckptmatrix.knowledge.causes import Evidence, KnownCause
from ckptmatrix.model import Cause, Verdict


def _explains(evidence: Evidence) -> bool:
    resume = evidence.record.resume
    return (
        resume is not None
        and resume.first_difference is not None
        and resume.first_difference.quantity == "samples"
        and not evidence.named(Verdict.WRONG)
        and evidence.named(Verdict.LOST) <= {"step", "dataloader"}
        and (
            evidence.record.components.get("dataloader") != Verdict.ABSENT
            or evidence.reader_is("0.24.0", "0.26.0")
            or evidence.writer_is("0.24.0", "0.26.0")
        )
    )


known = KnownCause(
    Cause(
        "the seedable sampler starts over: samples come in another order",
        "accelerate 0.25.x always uses its seedable sampler (0.24.x under several processes, since "
        "0.26.0 by request), whose order hangs on a seed and on the epoch. Neither is saved, so "
        "after a resume the order is that of the first epoch, under the seed of the new script.",
        "Seed the script alike and call train_dataloader.set_epoch(epoch) after load_state.",
        (
            "https://github.com/huggingface/accelerate/issues/3996",
            "https://github.com/huggingface/accelerate/pull/4012",
        ),
    ),
    _explains,
    60,
)
